/**
 * The versions that this daemon gives for lists and watches over nodes: one number that grows with each change of what is kept of others, and
 * marks that say which version of the own store belongs to it. They lie beyond every version of a store, so that neither is taken for the
 * other. After a start they go on far beyond the last one written down: none means two things, also after a power cut. That may have taken what was
 * kept at versions which were given, so nobody goes on from them, unless the process before ended in order; nor later, whatever process ended how.
 *
 * A mark may be older than it could be, never newer: who goes on from it sees some changes twice and misses none. So marks can be thinned out: one that
 * stays takes over the versions of the one behind it that goes, and of the two the older version of the own store.
 */
import { randomInt } from 'node:crypto';
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { Kv, KvOp } from '../../../store/kv.ts';
import { ENDED_KEY, MARKS, markKey, OLDEST_KEY, rangeOf, VERSION_KEY, versionOfKey } from './cache-keys.ts';

/** Versions of stores stay below 2^49, and 2^53 is the end of exact numbers. */
const BASE = 2 ** 52;
/** Numbers that are written down as used before they are. */
const STEP = 2 ** 24;
const STEPS = 2 ** 26;
/** Marks kept; beyond them every other one of the older half goes. */
const MAX_MARKS = 4096;

interface Mark {
  version: number;
  /** Version of the own store. */
  local: number;
}

export class Journal {
  /** Versions before this one are no places to go on from. */
  readonly oldest: number;
  readonly #kv: Kv;
  #last: number;
  #reserved: number;
  #marks: Mark[];

  private constructor(kv: Kv, last: number, oldest: number, marks: Mark[]) {
    this.oldest = oldest;
    this.#kv = kv;
    this.#last = last;
    this.#reserved = last + STEP;
    this.#marks = marks;
  }

  static async open(kv: Kv): Promise<Journal> {
    const stored = await kv.get(VERSION_KEY);
    const last = stored === undefined ? BASE + randomInt(1, STEPS) * STEP : Number(Buffer.from(stored).toString('utf8'));
    const isWhole = (await kv.get(ENDED_KEY)) !== undefined;
    const before = await kv.get(OLDEST_KEY);
    const known = before === undefined ? 0 : Number(Buffer.from(before).toString('utf8'));
    const oldest = isWhole ? known : last;
    const begun: KvOp[] = [
      { type: 'del', key: ENDED_KEY },
      { type: 'put', key: OLDEST_KEY, value: Buffer.from(String(oldest)) },
      reservation(last + STEP),
    ];
    await kv.batch(begun, { sync: true });
    const marks = await kv.page({ ...rangeOf(MARKS), limit: 2 * MAX_MARKS });
    return new Journal(
      kv,
      last,
      oldest,
      marks.map(([key, value]) => ({ version: versionOfKey(key), local: Number(Buffer.from(value).toString('utf8')) })),
    );
  }

  /** To be called when nothing is written any more. */
  async close(): Promise<void> {
    await this.#kv.batch([{ type: 'put', key: ENDED_KEY, value: new Uint8Array() }], { sync: true });
  }

  /** The last version given. */
  get last(): number {
    return this.#last;
  }

  /** A new version, for a change. */
  next(): number {
    this.#last += 1;
    if (this.#reserved - this.#last < STEP / 2) {
      this.#reserved += STEP;
      // half a step is left until it matters whether this was written; a database that cannot write tells others
      this.#kv.batch([reservation(this.#reserved)], { sync: true }).catch(() => undefined);
    }
    return this.#last;
  }

  /** A version for the present state of what is kept of others and the given one of the own store. */
  async mark(local: number): Promise<number> {
    const written = this.#mark(local);
    const version = this.#last;
    await written;
    return version;
  }

  /** As `mark`, but nothing else ever has this version. */
  async own(local: number): Promise<number> {
    const written = this.#mark(local);
    const version = this.next();
    // the last one given may be given again
    this.next();
    await written;
    return version;
  }

  async #mark(local: number): Promise<void> {
    if (this.#marks.at(-1)?.local === local) return;
    const mark = { version: this.next(), local };
    this.#marks.push(mark);
    const ops = [written(mark)];
    if (this.#marks.length > MAX_MARKS) ops.push(...this.#thinOut());
    await this.#kv.batch(ops, { sync: false });
  }

  /** Every other mark of the older half goes, but for the oldest. Returns what is to be written. */
  #thinOut(): KvOp[] {
    const ops: KvOp[] = [];
    const marks: Mark[] = [];
    for (const [index, mark] of this.#marks.entries()) {
      const before = marks.at(-1);
      if (before === undefined || index >= MAX_MARKS / 2 || index % 2 === 0) {
        marks.push(mark);
        continue;
      }
      ops.push({ type: 'del', key: markKey(mark.version) });
      if (mark.local >= before.local) continue;
      const older = { ...before, local: mark.local };
      marks[marks.length - 1] = older;
      ops.push(written(older));
    }
    this.#marks = marks;
    return ops;
  }

  /** The version of the own store from which to go on with this one. GONE if none is known. */
  localAt(version: number): number {
    const local = this.ownAt(version);
    if (local === undefined) throw unknownVersion(version);
    return local;
  }

  /** As `localAt`; undefined if none is known. */
  ownAt(version: number): number | undefined {
    if (version > this.#last) return undefined;
    let low = 0;
    let high = this.#marks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#marks[middle]?.version ?? 0) <= version) low = middle + 1;
      else high = middle;
    }
    return this.#marks[low - 1]?.local;
  }
}

function written({ version, local }: Mark): KvOp {
  return { type: 'put', key: markKey(version), value: Buffer.from(String(local)) };
}

function reservation(upTo: number): KvOp {
  return { type: 'put', key: VERSION_KEY, value: Buffer.from(String(upTo)) };
}

export function unknownVersion(version: number | string): DtkdError {
  return new DtkdError('GONE', `changes since version ${String(version).slice(0, 30)} are no longer (or were never) kept here`, {
    next: 'List again, and watch from the version of that list.',
  });
}
