/**
 * This node's own log in one domain: turns changes of what it publishes into signed entries, in the transaction that stores the change.
 * Keeps the published state in memory as it is after the last transaction (`working`) and as it is on disk (`durable`); a transaction
 * that fails is taken back, and the next write opens a new epoch, so that no two entries are ever signed for one place. Entries are
 * handed out only once they are durable. It does not read the object store, nor hear of entries that it did not write.
 */
import { randomBytes } from 'node:crypto';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { DomainId } from '../../../../protocol/ids.ts';
import {
  type Epoch,
  type LogEntry,
  MAX_EPOCH_MS,
  NO_ENTRY,
  type Point,
  parseEntry,
  pointText,
  signEntry,
} from '../../../../protocol/log-entry.ts';
import type { ApiObject } from '../../../../protocol/objects.ts';
import type { SigningKey } from '../../../../protocol/signing.ts';
import type { Kv } from '../../store/kv.ts';
import type { Transaction } from '../../store/object-store.types.ts';
import { AuthorDoc } from './author-doc.ts';
import { MAX_LIVE_BYTES, MAX_LIVE_OBJECTS, MAX_UPDATE_BYTES, outgrown } from './limits.ts';
import { type History, joinLineages } from './lineage.ts';
import { type Published, readPublished } from './published-object.ts';
import { readDoc } from './replicas.ts';
import { authorPrefix, encodeState, entryRow, headRow, NOTHING, pointOf, rowsBelow, type Track } from './rows.ts';
import { sizeOfValue } from './update-reader.ts';

/** What an item takes in an update besides its key and value, and a deletion; generous. */
const ITEM_OVERHEAD = 32;
const BIRTH_BYTES = 60;

/** A published object with what is asked about it at every write. */
interface Live {
  value: Published;
  json: string;
  size: number;
}

export interface Head {
  track: Track;
  lineage: readonly Point[];
}

/** Objects to publish anew or otherwise, and to take back (undefined). */
export type Difference = ReadonlyMap<string, Live | undefined>;

/** What one transaction did to the log. */
export interface Pending {
  changes: Difference;
  head: Head;
  entries: LogEntry[];
  durable: boolean;
}

export interface OwnLogOptions {
  domain: DomainId;
  key: SigningKey;
  now: () => number;
  /** Each own entry, in order, once it is durable. */
  onEntry: (entry: LogEntry) => void;
}

export class OwnLog {
  readonly prefix: string;
  readonly #options: OwnLogOptions;
  #durable = new Map<string, Live>();
  #durableHead: Head | undefined;
  #working = new Map<string, Live>();
  /** Of all in `working`. */
  #bytes = 0;
  #head: Head | undefined;
  #pending: Pending[] = [];
  /** The document of the epoch that is being written; undefined: the next write opens one. */
  #doc: AuthorDoc | undefined;
  #highestMs = 0;

  constructor(options: OwnLogOptions) {
    this.#options = options;
    this.prefix = authorPrefix(options.domain, options.key.publicKey);
  }

  /** Reads what an earlier process published. */
  async load(kv: Kv, track: Track): Promise<void> {
    const first = await kv.get(entryRow(this.prefix, { epoch: track.epoch, seq: 0 }));
    const doc = await readDoc(kv, this.prefix, track);
    for (const [key, value] of doc.entries()) {
      const published = readPublished(value);
      if (published !== undefined) this.#durable.set(key, live(key, published));
    }
    this.#durableHead = { track, lineage: first === undefined ? [] : parseEntry(first).lineage };
    this.#head = this.#durableHead;
    this.#working = new Map(this.#durable);
    this.#bytes = sizeOf(this.#working);
    this.noteEpoch(track.epoch);
  }

  /** How far the log is on disk. */
  get durableHead(): Head | undefined {
    return this.#durableHead;
  }

  /** All that this node's present state contains. */
  get history(): History {
    return historyOf(this.#head);
  }

  get durableHistory(): History {
    return historyOf(this.#durableHead);
  }

  /** Published objects, as the transactions so far left them. */
  objects(): Map<string, Published> {
    return new Map([...this.#working].map(([key, { value }]) => [key, value]));
  }

  has(key: string): boolean {
    return this.#working.has(key);
  }

  keys(): IterableIterator<string> {
    return this.#working.keys();
  }

  /** New epochs will be above this one. */
  noteEpoch(epoch: Epoch): void {
    this.#highestMs = Math.max(this.#highestMs, epoch.ms);
  }

  /** The next write opens a new epoch. */
  closeEpoch(): void {
    this.#doc = undefined;
  }

  /** What of the wanted state (undefined: not published) is not published so. */
  difference(wanted: ReadonlyMap<string, ApiObject | undefined>): Difference {
    const changes = new Map<string, Live | undefined>();
    for (const [key, object] of wanted) {
      const known = this.#working.get(key);
      if (object === undefined) {
        if (known !== undefined) changes.set(key, undefined);
      } else if (known?.json !== JSON.stringify(object)) {
        // An object that was deleted and made anew is another one. Its birth is filled in when it is written.
        const b = known?.value.o.metadata.uid === object.metadata.uid ? (known?.value.b ?? '') : '';
        changes.set(key, live(key, { b, o: object }));
      }
    }
    return changes;
  }

  /** What of a whole state, with its births, differs from the present one. */
  differenceTo(state: ReadonlyMap<string, Published>): Difference {
    const changes = new Map<string, Live | undefined>();
    for (const key of this.#working.keys()) if (!state.has(key)) changes.set(key, undefined);
    for (const [key, value] of state) {
      const known = this.#working.get(key);
      const now = live(key, value);
      if (known?.json !== now.json || known.value.b !== value.b) changes.set(key, now);
    }
    return changes;
  }

  /** Throws QUOTA_EXCEEDED if the state would be more than every replica takes. */
  assertFits(changes: Difference): void {
    let objects = this.#working.size;
    let bytes = this.#bytes;
    for (const [key, now] of changes) {
      const before = this.#working.get(key);
      objects += Number(now !== undefined) - Number(before !== undefined);
      bytes += (now?.size ?? 0) - (before?.size ?? 0);
      if (now !== undefined && costOf(key, now) > MAX_UPDATE_BYTES) throw tooMuch(`"${key}" does not fit into a log entry`);
    }
    if (objects > MAX_LIVE_OBJECTS) throw tooMuch(`this node would share more than ${MAX_LIVE_OBJECTS} objects`);
    if (bytes > MAX_LIVE_BYTES) throw tooMuch(`this node would share more than ${MAX_LIVE_BYTES} bytes of objects`);
  }

  /**
   * Writes the changes into the transaction. `joined` is a history that they take in, besides this node's own; with it a new epoch is
   * opened. To be followed by `settle`.
   */
  append(tx: Transaction, changes: Difference, joined?: History): Pending {
    const goesOn = this.#doc !== undefined && joined === undefined && this.#head !== undefined;
    const current = goesOn && !outgrown(this.#head?.track.bytes ?? 0, this.#doc?.liveBytes ?? 0) ? this.#head : undefined;
    try {
      return current === undefined || this.#doc === undefined
        ? this.#open(tx, changes, joined)
        : this.#write(tx, this.#doc, current, changes, changes);
    } catch (error) {
      // The document may be ahead of what has been signed.
      this.#doc = undefined;
      throw error;
    }
  }

  #open(tx: Transaction, changes: Difference, joined: History | undefined): Pending {
    const ms = Math.max(this.#options.now(), this.#highestMs + 1);
    if (ms > MAX_EPOCH_MS) throw new DtkdError('INTERNAL', 'this key has no epochs left', { next: 'Leave the domain and join it anew.' });
    const epoch = { ms, random: randomBytes(8).toString('hex') };
    const lineage = joinLineages(this.history, ...(joined === undefined ? [] : [joined]));
    const state = applied(this.#working, changes);
    const before = { track: { epoch, seq: -1, hash: NO_ENTRY, opened: false, bytes: 0 }, lineage };
    for (const [gte, lt] of rowsBelow(this.prefix, epoch, undefined)) tx.clearRows(gte, lt);
    return this.#write(tx, new AuthorDoc(epoch), before, state, changes);
  }

  #write(tx: Transaction, doc: AuthorDoc, before: Head, written: Difference, changes: Difference): Pending {
    const { epoch, opened } = before.track;
    const parts = inParts(written);
    // Born with the last entry: whoever has less than the whole transaction does not know the object.
    const birth = pointText({ epoch, seq: before.track.seq + parts.length });
    const named = new Map([...changes].map(([key, now]) => [key, now?.value.b === '' ? live(key, { ...now.value, b: birth }) : now]));
    const entries: LogEntry[] = [];
    let track = before.track;
    for (const [index, keys] of parts.entries()) {
      const values = new Map(keys.map((key) => [key, (named.has(key) ? named.get(key) : written.get(key))?.value]));
      const entry = this.#sign(doc, before, track, values, index === parts.length - 1 && !opened);
      tx.putRow(entryRow(this.prefix, entry), entry.bytes);
      entries.push(entry);
      track = { epoch, seq: entry.seq, hash: entry.hash, opened: true, bytes: track.bytes + entry.bytes.length };
    }
    const head = { track, lineage: before.lineage };
    tx.putRow(headRow(this.prefix), encodeState({ ...NOTHING, shown: track }));
    const pending = { changes: named, head, entries, durable: false };
    for (const [key, now] of named) this.#bytes += (now?.size ?? 0) - (this.#working.get(key)?.size ?? 0);
    this.#working = applied(this.#working, named, true);
    this.#head = head;
    this.#doc = doc;
    this.#highestMs = Math.max(this.#highestMs, epoch.ms);
    this.#pending.push(pending);
    return pending;
  }

  #sign(
    doc: AuthorDoc,
    { track: { epoch, opened }, lineage }: Head,
    last: Track,
    values: Map<string, unknown>,
    openEnd: boolean,
  ): LogEntry {
    const { domain, key } = this.#options;
    const seq = last.seq + 1;
    const update = doc.write(values);
    const author = key.publicKey;
    return signEntry(key, {
      domain,
      author,
      epoch,
      seq,
      prev: last.hash,
      lineage: seq === 0 ? lineage : [],
      open: !opened,
      openEnd,
      update,
    });
  }

  /** Says how the transaction of `append` ended. */
  settle(pending: Pending, durable: boolean): void {
    if (!durable) {
      this.#takeBack(pending);
      return;
    }
    pending.durable = true;
    for (let first = this.#pending[0]; first?.durable; first = this.#pending[0]) {
      this.#pending.shift();
      this.#durable = applied(this.#durable, first.changes, true);
      this.#durableHead = first.head;
      for (const entry of first.entries) this.#options.onEntry(entry);
    }
  }

  #takeBack(pending: Pending): void {
    if (!this.#pending.includes(pending)) return;
    this.#pending = this.#pending.filter((other) => other !== pending);
    this.#working = this.#pending.reduce((state, { changes }) => applied(state, changes, true), new Map(this.#durable));
    this.#bytes = sizeOf(this.#working);
    this.#head = this.#pending.at(-1)?.head ?? this.#durableHead;
    this.#doc = undefined;
  }
}

function historyOf(head: Head | undefined): History {
  return { head: head === undefined ? undefined : pointOf(head.track), lineage: head?.lineage ?? [] };
}

function live(key: string, value: Published): Live {
  return { value, json: JSON.stringify(value.o), size: key.length + sizeOfValue(value.o) + BIRTH_BYTES };
}

function sizeOf(objects: ReadonlyMap<string, Live>): number {
  return [...objects.values()].reduce((sum, { size }) => sum + size, 0);
}

function applied(state: Map<string, Live>, changes: Difference, inPlace = false): Map<string, Live> {
  const result = inPlace ? state : new Map(state);
  for (const [key, now] of changes) {
    if (now === undefined) result.delete(key);
    else result.set(key, now);
  }
  return result;
}

function costOf(key: string, now: Live | undefined): number {
  return ITEM_OVERHEAD + key.length + (now?.size ?? 0);
}

/** The keys in as many parts as entries are needed; one part at least. */
function inParts(written: Difference): string[][] {
  const parts: string[][] = [];
  let part: string[] = [];
  let bytes = 0;
  for (const [key, now] of written) {
    const cost = costOf(key, now);
    if (bytes + cost > MAX_UPDATE_BYTES && part.length > 0) {
      parts.push(part);
      part = [];
      bytes = 0;
    }
    part.push(key);
    bytes += cost;
  }
  return [...parts, part];
}

function tooMuch(what: string): DtkdError {
  return new DtkdError('QUOTA_EXCEEDED', what, { next: 'Share fewer or smaller objects into the domain.' });
}
