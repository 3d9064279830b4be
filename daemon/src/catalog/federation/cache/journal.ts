/**
 * The versions given to lists and watches over nodes: one number that grows with each change of what is kept of other nodes, and marks that
 * say which version of the own store belongs to it. These versions lie beyond every version of a store, so that neither can be mistaken for
 * the other. After a start they continue far beyond the last one written down, so no version ever has two meanings, even after a power cut.
 * A power cut may lose what was kept at versions already given. So unless a process ended in order, nobody can go on from its versions or
 * earlier ones, and this does not change when later processes end in order.
 *
 * A mark may be older than possible, but never newer: who goes on from it sees some changes twice and misses none. So marks can be thinned
 * out: a mark that stays covers the versions of the removed mark after it, with the older of their two versions of the own store.
 */
import { randomInt } from 'node:crypto';
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { Kv, KvOp } from '../../../store/kv.ts';
import { ENDED_KEY, MARKS, markKey, OLDEST_KEY, rangeOf, VERSION_KEY, versionOfKey } from './cache-keys.ts';

/** Versions of stores stay below 2^49; numbers are exact up to 2^53. */
const BASE = 2 ** 52;
/** How many versions are reserved, by being written down as used, before any of them is given. */
const STEP = 2 ** 24;
const STEPS = 2 ** 26;
/** Marks to keep; beyond this number every other mark of the older half is removed. */
const MAX_MARKS = 4096;

interface Mark {
  version: number;
  /** Version of the own store. */
  local: number;
}

export class Journal {
  /** Nobody can go on from a version before this one. */
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

  /** Notes the orderly end. Call it after all other writes. */
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
      // half of the reservation is left, so a failure to write it does not matter yet; others report a database that cannot write
      this.#kv.batch([reservation(this.#reserved)], { sync: true }).catch(() => undefined);
    }
    return this.#last;
  }

  /** Returns a version for the present state of what is kept of other nodes, together with the given version of the own store. */
  async mark(local: number): Promise<number> {
    const written = this.#mark(local);
    const version = this.#last;
    await written;
    return version;
  }

  /** Like `mark`, but the version is never given to anybody else. */
  async own(local: number): Promise<number> {
    const written = this.#mark(local);
    const version = this.next();
    // the last version may be given again by `mark`, so move past it
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

  /** Removes every other mark of the older half, but not the oldest. Returns the writes that this needs. */
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

  /** The version of the own store from which to go on with this version. Throws GONE if none is known. */
  localAt(version: number): number {
    const local = this.ownAt(version);
    if (local === undefined) throw unknownVersion(version);
    return local;
  }

  /** Like `localAt`; undefined if none is known. */
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
