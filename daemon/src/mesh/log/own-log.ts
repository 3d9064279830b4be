/**
 * This node's own log in one domain: turns changes of what it publishes into signed entries, in the transaction that stores the change.
 * Keeps the published state in memory as after the last transaction (`working`) and as on disk (`durable`). A failed transaction is
 * undone, and the next write opens a new epoch, so that no two entries are ever signed for one place. Entries are handed out only once
 * they are durable. Does not read the object store, nor see entries that it did not write.
 */
import { randomBytes } from 'node:crypto';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { DomainId } from '../../../../protocol/ids.ts';
import type { SigningKey } from '../../../../protocol/keys/signing.ts';
import {
  type Epoch,
  epochText,
  type LogEntry,
  MAX_EPOCH_MS,
  NO_ENTRY,
  type Point,
  parseEntry,
  pointText,
  signEntry,
} from '../../../../protocol/log/log-entry.ts';
import type { Kv } from '../../store/kv.ts';
import type { Transaction } from '../../store/object-store.types.ts';
import { AuthorDoc } from './author-doc.ts';
import { outgrown } from './limits.ts';
import { type History, joinLineages } from './lineage.ts';
import { type Difference, inParts, live, OwnState } from './own-state.ts';
import { readPublished } from './published-object.ts';
import { readDoc } from './replicas.ts';
import { authorPrefix, encodeState, entryRow, headRow, NOTHING, pointOf, rowsBelow, type Track } from './rows.ts';

export interface Head {
  track: Track;
  lineage: readonly Point[];
}

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
  /** Called with each own entry, in order, once it is durable. */
  onEntry: (entry: LogEntry) => void;
}

export class OwnLog {
  readonly prefix: string;
  readonly #options: OwnLogOptions;
  #durable = new OwnState();
  #durableHead: Head | undefined;
  #working = new OwnState();
  #head: Head | undefined;
  #pending: Pending[] = [];
  /** The document of the epoch being written. Undefined: the next write opens an epoch. */
  #doc: AuthorDoc | undefined;
  #highestMs = 0;
  /** Epochs opened by this process that are on disk. A new one follows only when the log outgrows its live state, so they stay few. */
  readonly #opened = new Set<string>();

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
      if (published !== undefined) this.#durable.apply(new Map([[key, live(key, published)]]));
    }
    this.#durableHead = { track, lineage: first === undefined ? [] : parseEntry(first).lineage };
    this.#head = this.#durableHead;
    this.#working = this.#durable.copy();
    this.noteEpoch(track.epoch);
  }

  /** Continues a log whose entries can no longer be read: the next epoch publishes everything, and contains that log. */
  follow(track: Track): void {
    this.#durableHead = { track, lineage: [] };
    this.#head = this.#durableHead;
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

  /** What is published, as of the latest transaction. */
  get state(): OwnState {
    return this.#working;
  }

  /** Makes sure that new epochs are above this one. */
  noteEpoch(epoch: Epoch): void {
    this.#highestMs = Math.max(this.#highestMs, epoch.ms);
  }

  /** True for an epoch that this process opened, once it is durable. */
  opened(epoch: Epoch): boolean {
    return this.#opened.has(epochText(epoch));
  }

  /** Makes the next write open a new epoch. */
  closeEpoch(): void {
    this.#doc = undefined;
  }

  /**
   * Writes the changes into the transaction. `joined` is a foreign history that they take in besides this node's own; it forces a new
   * epoch. The caller must call `settle` afterwards.
   */
  append(tx: Transaction, changes: Difference, joined?: History): Pending {
    const goesOn = this.#doc !== undefined && joined === undefined && this.#head !== undefined;
    const current = goesOn && !outgrown(this.#head?.track.bytes ?? 0, this.#doc?.liveBytes ?? 0) ? this.#head : undefined;
    try {
      return current === undefined || this.#doc === undefined
        ? this.#open(tx, changes, joined)
        : this.#write(tx, this.#doc, current, changes, changes);
    } catch (error) {
      // The document may be ahead of what was signed.
      this.#doc = undefined;
      throw error;
    }
  }

  #open(tx: Transaction, changes: Difference, joined: History | undefined): Pending {
    const ms = Math.max(this.#options.now(), this.#highestMs + 1);
    if (ms > MAX_EPOCH_MS) throw new DtkdError('INTERNAL', 'this key has no epochs left', { next: 'Leave the domain and join it again.' });
    const epoch = { ms, random: randomBytes(8).toString('hex') };
    const lineage = joinLineages(this.history, ...(joined === undefined ? [] : [joined]));
    const state = this.#working.copy().apply(changes).all();
    const before = { track: { epoch, seq: -1, hash: NO_ENTRY, opened: false, bytes: 0 }, lineage };
    for (const [gte, lt] of rowsBelow(this.prefix, epoch, undefined)) tx.clearRows(gte, lt);
    return this.#write(tx, new AuthorDoc(epoch), before, state, changes);
  }

  #write(tx: Transaction, doc: AuthorDoc, before: Head, written: Difference, changes: Difference): Pending {
    const { epoch, opened } = before.track;
    const parts = inParts(written);
    // Born with the last entry: a node that has less than the whole transaction does not know the object.
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
    this.#working.apply(named);
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

  /** Reports whether the transaction of `append` became durable. */
  settle(pending: Pending, durable: boolean): void {
    if (!durable) {
      this.#takeBack(pending);
      return;
    }
    pending.durable = true;
    for (let first = this.#pending[0]; first?.durable; first = this.#pending[0]) {
      this.#pending.shift();
      this.#durable.apply(first.changes);
      this.#durableHead = first.head;
      // Only now can others see the epoch. While the disk is full, every write opens one that nobody ever sees.
      this.#opened.add(epochText(first.head.track.epoch));
      for (const entry of first.entries) this.#options.onEntry(entry);
    }
  }

  #takeBack(pending: Pending): void {
    if (!this.#pending.includes(pending)) return;
    this.#pending = this.#pending.filter((other) => other !== pending);
    this.#working = this.#pending.reduce((state, { changes }) => state.apply(changes), this.#durable.copy());
    this.#head = this.#pending.at(-1)?.head ?? this.#durableHead;
    this.#doc = undefined;
  }
}

function historyOf(head: Head | undefined): History {
  return { head: head === undefined ? undefined : pointOf(head.track), lineage: head?.lineage ?? [] };
}
