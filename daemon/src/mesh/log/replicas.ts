/**
 * The logs of one domain's other authors: judges their entries, stores them as rows, and shows the resulting objects in the store. All
 * effects of one entry are in one batch. An author's state depends on its entries alone, not on their order of arrival or on what another
 * author wrote. Entries of one author are taken one after another. Knows nothing of the network or of this node's own log.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import type { DomainId, PeerKey } from '../../../../protocol/ids.ts';
import {
  compareEpochs,
  type Epoch,
  forkProof,
  type LogEntry,
  NO_ENTRY,
  parseEntry,
  verifyEntry,
} from '../../../../protocol/log/log-entry.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { Counters } from '../../counting/counters.ts';
import { prefixEnd } from '../../store/kv.ts';
import type { ObjectStore, Transaction } from '../../store/object-store.types.ts';
import { Allowances, type WorkLimits } from './allowances.ts';
import { AuthorDoc } from './author-doc.ts';
import type { DocCache } from './doc-cache.ts';
import { ENTRY_WORK, MAX_EPOCH_BYTES, SHOW_TOGETHER } from './limits.ts';
import { contains, type History } from './lineage.ts';
import type { Authors, ReceiveResult } from './log.types.ts';
import { placementOf, valid } from './placement.ts';
import { hide, readShown, show } from './projection.ts';
import { parsePublished } from './published-object.ts';
import {
  type AuthorState,
  authorPrefix,
  collisionRow,
  encodeState,
  entryRow,
  epochRows,
  forkRow,
  headRow,
  NOTHING,
  objectRows,
  pointOf,
  readEntries,
  rowsBelow,
  type Track,
} from './rows.ts';

export interface ReplicasOptions {
  domain: DomainId;
  /** The domain's name in the selectors of objects. */
  name: string;
  /** Version of dtkd. */
  version: string;
  store: ObjectStore;
  authors: Authors;
  cache: DocCache;
  counters: Counters;
  /** Work that one author may cause. Default: see `Allowances`. */
  work?: WorkLimits | undefined;
  onFork: (author: PeerKey, proof: Uint8Array) => void;
  /** An object could not be shown because its place is taken. */
  onCollision: (author: PeerKey) => void;
}

/** A judged entry with everything that follows from it. */
interface Step {
  entry: LogEntry;
  before: AuthorState;
  after: AuthorState;
  doc: AuthorDoc;
  /** What the entry itself changes; undefined: no longer shown. */
  changes: Map<string, ApiObject | undefined>;
}

export class Replicas {
  readonly states = new Map<PeerKey, AuthorState>();
  readonly #options: ReplicasOptions;
  readonly #allowances: Allowances<PeerKey>;

  constructor(options: ReplicasOptions) {
    this.#options = options;
    this.#allowances = new Allowances(options.work);
  }

  /** False if the author has caused so much work that others come first for a while. */
  mayCome(author: PeerKey): boolean {
    return this.#allowances.has(author);
  }

  /** Takes one entry of another author. Calls for one author must not overlap. Throws as DomainLog.receive does. */
  async receive(entry: LogEntry): Promise<ReceiveResult> {
    const { authors, domain } = this.#options;
    if (!authors.isMember(entry.author)) return 'unknown-author';
    if (authors.isSuspended(entry.author)) return 'known';
    const state = this.stateOf(entry.author);
    const placement = placementOf(state, entry);
    if (placement.place === 'over') return 'known';
    if (placement.place === 'taken') {
      if (entry.seq === placement.track.seq && entry.hash === placement.track.hash) return 'known';
      const there = await this.#entryAt(entry.author, placement.track.epoch, entry.seq);
      if (there === undefined || there.hash === entry.hash) return 'known';
      verifyEntry(entry, domain);
      return this.#forked(there, entry);
    }
    verifyEntry(entry, domain);
    if (placement.place === 'gap') return 'gap';
    if (placement.place === 'append' && entry.prev !== placement.track.hash) {
      const last = await this.#entryAt(entry.author, placement.track.epoch, placement.track.seq);
      return last === undefined ? 'gap' : this.#forked(last, entry);
    }
    const track = placement.place === 'append' ? placement.track : undefined;
    const doc = track === undefined ? new AuthorDoc(entry.epoch) : await this.#docOf(entry.author, track);
    if (doc === undefined) return 'gap';
    await this.#take(await this.#judge(state, track, entry, doc));
    return 'applied';
  }

  /** What is kept of an author, without what a fork has voided. */
  stateOf(author: PeerKey): AuthorState {
    const state = this.states.get(author) ?? NOTHING;
    const proved = this.#options.authors.forkedEpoch?.(author);
    const barrier = higher(state.barrier, proved);
    if (barrier === state.barrier) return state;
    return { ...state, shown: valid(state.shown, barrier), next: valid(state.next, barrier), stray: undefined, barrier };
  }

  async #judge(before: AuthorState, track: Track | undefined, entry: LogEntry, doc: AuthorDoc): Promise<Step> {
    const last = track ?? { epoch: entry.epoch, seq: -1, hash: NO_ENTRY, opened: false, bytes: 0 };
    if (entry.open === last.opened) throw refuse(last.opened ? 'the opening is over' : 'the opening is not over');
    const bytes = last.bytes + entry.bytes.length;
    if (bytes > MAX_EPOCH_BYTES) throw new DtkdError('QUOTA_EXCEEDED', `an epoch of more than ${MAX_EPOCH_BYTES} bytes`);
    const judged = doc.judge(entry.update);
    if (judged.values.size === 0 && !entry.open) throw refuse('it changes nothing');
    const changes = new Map<string, ApiObject | undefined>();
    for (const [key, value] of judged.values) {
      changes.set(key, value === undefined ? undefined : parsePublished(key, value, this.#options.name));
    }
    const reached = { epoch: entry.epoch, seq: entry.seq, hash: entry.hash, opened: last.opened || entry.openEnd, bytes };
    const after = await this.#after(before, reached, entry);
    const name = this.#docName(entry.author, entry.epoch);
    // From here on the document is ahead of its rows: if they cannot be written, it must be read again.
    this.#options.cache.delete(name);
    doc.integrate(judged);
    return { entry, before, after, doc, changes };
  }

  async #after(before: AuthorState, reached: Track, entry: LogEntry): Promise<AuthorState> {
    if (!reached.opened) return { ...before, next: reached };
    if (sameEpoch(before.shown, reached.epoch)) return { ...before, shown: reached };
    const first = entry.seq === 0 ? entry : await this.#entryAt(entry.author, entry.epoch, 0);
    const history: History = { head: pointOf(reached), lineage: first?.lineage ?? [] };
    const stray = [before.shown, before.stray].find((track) => track !== undefined && !contains(history, pointOf(track)));
    return { shown: reached, next: undefined, stray, barrier: before.barrier, by: this.#options.version };
  }

  async #take({ entry, before, after, doc, changes }: Step): Promise<void> {
    const { store, cache, domain } = this.#options;
    const prefix = authorPrefix(domain, entry.author);
    const appended = sameEpoch(before.shown, entry.epoch);
    const switched = !appended && sameEpoch(after.shown, entry.epoch);
    const shown = switched ? await readShown(store.kv, prefix) : undefined;
    const all = shown === undefined ? 0 : shown.size + doc.count;
    this.#allowances.spend(entry.author, ENTRY_WORK + entry.bytes.length / 1024 + changes.size + all);
    await store.transact(async (tx) => {
      if (switched) for (const [gte, lt] of rowsBelow(prefix, entry.epoch, after.stray?.epoch)) tx.clearRows(gte, lt);
      else if (entry.seq === 0 && before.next !== undefined) tx.clearRows(...epochRows(prefix, before.next.epoch));
      tx.putRow(entryRow(prefix, entry), entry.bytes);
      tx.putRow(headRow(prefix), encodeState(after));
      if (shown !== undefined) await this.#showAll(tx, entry.author, doc, shown);
      else if (appended) await this.#showSome(tx, entry.author, changes);
    });
    this.states.set(entry.author, after);
    cache.set(this.#docName(entry.author, entry.epoch), doc);
    if (switched && before.shown !== undefined) cache.delete(this.#docName(entry.author, before.shown.epoch));
  }

  async #showSome(tx: Transaction, author: PeerKey, changes: Iterable<[string, ApiObject | undefined]>): Promise<void> {
    const { authors, domain, counters, onCollision } = this.#options;
    const place = { prefix: authorPrefix(domain, author), author, namespace: authors.namespaceOf(author) };
    for (const [key, object] of changes) {
      if (await show(tx, place, key, object)) continue;
      // After a crash, the next process must know that not everything is shown.
      tx.putRow(collisionRow(place.prefix), new Uint8Array());
      counters.add('collisions');
      onCollision(author);
    }
  }

  async #showAll(tx: Transaction, author: PeerKey, doc: AuthorDoc, shown: ReadonlyMap<string, string>): Promise<void> {
    const prefix = authorPrefix(this.#options.domain, author);
    tx.delRow(collisionRow(prefix));
    for (const [key, namespace] of shown) if (doc.get(key) === undefined) await hide(tx, prefix, key, namespace);
    const values = [...doc.entries()];
    for (let at = 0; at < values.length; at += SHOW_TOGETHER) {
      const part = values.slice(at, at + SHOW_TOGETHER);
      await Promise.all(part.map(([key, value]) => this.#showSome(tx, author, [[key, this.#readable(key, value)]])));
    }
  }

  /** The object to show for a stored value. Undefined if this version does not accept it, though the one that judged it did. */
  #readable(key: string, value: unknown): ApiObject | undefined {
    try {
      return parsePublished(key, value, this.#options.name);
    } catch (error) {
      if (!(error instanceof DtkdError)) throw error;
      this.#options.counters.add('outdated');
      return undefined;
    }
  }

  async #forked(a: LogEntry, b: LogEntry): Promise<ReceiveResult> {
    const proof = forkProof(a, b);
    this.#options.counters.add('forks');
    await this.#rebuild(a.author, a.epoch, proof);
    this.#options.onFork(a.author, proof);
    return 'forked';
  }

  /** True if another version last put an author's objects into the store as a whole: it may have read them differently. */
  isOutdated(author: PeerKey): boolean {
    const { shown, by } = this.stateOf(author);
    return shown !== undefined && by !== this.#options.version;
  }

  /** True if the store does not show an author's objects as the membership demands: hidden, or under another name. */
  async isMisplaced(author: PeerKey): Promise<boolean> {
    const { authors, domain, store } = this.#options;
    const state = this.stateOf(author);
    if (state !== this.states.get(author)) return true;
    if ((await store.kv.get(collisionRow(authorPrefix(domain, author)))) !== undefined) return true;
    const rows = objectRows(authorPrefix(domain, author));
    const [row] = await store.kv.page({ gte: rows, lt: prefixEnd(rows), limit: 1 });
    const namespace = authors.isSuspended(author) || state.shown === undefined ? undefined : authors.namespaceOf(author);
    return (row === undefined ? undefined : Buffer.from(row[1]).toString('utf8')) !== namespace;
  }

  /** Shows an author's objects again, as the membership now demands. Calls for one author must not overlap. */
  async refresh(author: PeerKey): Promise<void> {
    if (!this.states.has(author)) return;
    const { authors } = this.#options;
    const top = this.stateOf(author).next ?? this.stateOf(author).shown;
    // If nobody can say which epoch was forked, everything present counts as void.
    const spoilt = authors.isSuspended(author) && authors.forkedEpoch === undefined ? top?.epoch : undefined;
    await this.#rebuild(author, spoilt);
  }

  async #rebuild(author: PeerKey, spoilt: Epoch | undefined, proof?: Uint8Array): Promise<void> {
    const { authors, store, domain } = this.#options;
    const prefix = authorPrefix(domain, author);
    const state = this.stateOf(author);
    const barrier = higher(state.barrier, spoilt);
    const after: AuthorState = {
      shown: valid(state.shown, barrier),
      next: valid(state.next, barrier),
      stray: barrier === this.states.get(author)?.barrier ? state.stray : undefined,
      barrier,
      by: this.#options.version,
    };
    const visible = after.shown !== undefined && authors.isMember(author) && !authors.isSuspended(author);
    const doc = visible && after.shown !== undefined ? await this.#docOf(author, after.shown) : undefined;
    if (visible && doc === undefined) return;
    const shown = await readShown(store.kv, prefix);
    await store.transact(async (tx) => {
      if (barrier !== undefined) {
        const [, lt] = epochRows(prefix, barrier);
        tx.clearRows(`${prefix}e/`, lt);
      }
      tx.putRow(headRow(prefix), encodeState(after));
      if (proof !== undefined) tx.putRow(forkRow(prefix), proof);
      // By now the membership has the proof of a suspended author.
      else if (authors.isSuspended(author)) tx.delRow(forkRow(prefix));
      if (doc !== undefined) await this.#showAll(tx, author, doc, shown);
      else for (const [key, namespace] of shown) await hide(tx, prefix, key, namespace);
    });
    this.states.set(author, after);
  }

  /** Forgets an author's log and removes its objects from the store. Calls for one author must not overlap. */
  async drop(author: PeerKey): Promise<void> {
    const { store, domain, cache } = this.#options;
    const prefix = authorPrefix(domain, author);
    const shown = await readShown(store.kv, prefix);
    await store.transact(async (tx) => {
      for (const [key, namespace] of shown) await hide(tx, prefix, key, namespace);
      tx.clearRows(prefix, prefixEnd(prefix));
    });
    this.states.delete(author);
    this.#allowances.forget(author);
    cache.deleteAll(prefix);
  }

  async #entryAt(author: PeerKey, epoch: Epoch, seq: number): Promise<LogEntry | undefined> {
    const bytes = await this.#options.store.kv.get(entryRow(authorPrefix(this.#options.domain, author), { epoch, seq }));
    return bytes === undefined ? undefined : parseEntry(bytes);
  }

  /** Undefined if the rows no longer yield the document. They are then deleted, so that a sync brings them again. */
  async #docOf(author: PeerKey, track: Track): Promise<AuthorDoc | undefined> {
    const { cache, store, domain, counters } = this.#options;
    const name = this.#docName(author, track.epoch);
    const cached = cache.get(name);
    if (cached !== undefined) return cached;
    const prefix = authorPrefix(domain, author);
    try {
      const doc = await readDoc(store.kv, prefix, track);
      cache.set(name, doc);
      return doc;
    } catch (error) {
      if (!(error instanceof DtkdError) || error.code !== 'ENTRY_INVALID') throw error;
      counters.add('unreadable');
      const after = { ...NOTHING, barrier: this.stateOf(author).barrier };
      await store.transact(async (tx) => {
        tx.clearRows(`${prefix}e/`, prefixEnd(`${prefix}e/`));
        tx.putRow(headRow(prefix), encodeState(after));
      });
      this.states.set(author, after);
      return undefined;
    }
  }

  #docName(author: PeerKey, epoch: Epoch): string {
    return `${authorPrefix(this.#options.domain, author)}${epoch.ms}/${epoch.random}`;
  }
}

/** Reads the document of an epoch from its entries, which were judged before they were stored. Throws ENTRY_INVALID if they are damaged. */
export async function readDoc(kv: ObjectStore['kv'], prefix: string, track: Track): Promise<AuthorDoc> {
  const doc = new AuthorDoc(track.epoch);
  let last = '';
  for await (const bytes of readEntries(kv, prefix, track.epoch, 0, track.seq)) {
    const entry = parseEntry(bytes);
    doc.replay(entry.update);
    last = entry.hash;
  }
  if (last !== track.hash) throw refuse('an entry before it is damaged on disk');
  return doc;
}

function sameEpoch(track: Track | undefined, epoch: Epoch): boolean {
  return track !== undefined && compareEpochs(track.epoch, epoch) === 0;
}

function higher(a: Epoch | undefined, b: Epoch | undefined): Epoch | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return compareEpochs(a, b) >= 0 ? a : b;
}

function refuse(why: string): DtkdError {
  return new DtkdError('ENTRY_INVALID', `a log entry is refused: ${why}`);
}
