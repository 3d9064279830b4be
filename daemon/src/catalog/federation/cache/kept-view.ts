/**
 * What other nodes last answered to one user about one kind: rows by peer, and a log of their changes. Owns these rows in the database;
 * each change is one batch with its log entry. Not synced to disk: what a power cut loses is requested again. Guarantees that the rows at a
 * version plus the log after it give the rows now; not that they are current, which only their owners know.
 */
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { Kv, KvOp } from '../../../store/kv.ts';
import type { PeerRow } from '../peer/rows-decoder.ts';
import type { PeerNode } from '../peer-api.types.ts';
import { Bell } from './bell.ts';
import { lastPart, logKey, partKey, partKeys, rowKey, type View, versionOfKey, viewKey } from './cache-keys.ts';
import { Frozen, rowsIn } from './frozen.ts';
import { type Journal, unknownVersion } from './journal.ts';
import { Leases } from './leases.ts';
import { type ListNote, ListNotes, type Untraceable } from './list-notes.ts';
import { decodeLogEntry, encodeLogEntry, type LogEntry } from './log-entry.ts';
import type { Part } from './part.ts';

/** Limits on the rows kept of one peer for one user and kind, and on their bytes. */
export const MAX_PART_ROWS = 50_000;
export const MAX_PART_BYTES = 64 * 1024 * 1024;
/** Limits on the entries and bytes of one stretch of the log; two stretches are kept. */
const STRETCH_ENTRIES = 16_384;
const STRETCH_BYTES = 8 * 1024 * 1024;
/** Rows that are read or deleted in one step. */
const ROWS_AT_ONCE = 500;
/** Limit on peers over all domains of a node; more are ignored. */
const MAX_PARTS = 8192;

/** A change of one row; without `json` it is a deletion. */
interface RowChange {
  name: string;
  json?: string;
  previous?: string;
}

/** Called with the number of bytes by which the view grows (negative: shrinks); returns what to write along with it. */
export type Account = (bytes: number) => KvOp[];

export class KeptView {
  readonly view: View;
  readonly leases = new Leases();
  readonly bell = new Bell();
  readonly #kv: Kv;
  readonly #journal: Journal;
  readonly #account: Account;
  readonly #parts: Map<string, Part>;
  /** Nobody can go on from a version before this one. */
  #oldest: number;
  #stretch: { begins: number; entries: number; bytes: number; before: number };
  readonly #drops = new Map<string, number>();
  readonly #notes: ListNotes;
  readonly #isKnown = (version: number): boolean => version >= this.#oldest && version <= this.#journal.last;
  #latest = 0;
  #logged = 0;
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  private constructor(
    { kv, journal, view, account }: { kv: Kv; journal: Journal; view: View; account: Account },
    { parts, notes, oldest }: { parts: Map<string, Part>; notes: ListNotes; oldest: number },
  ) {
    this.#kv = kv;
    this.#journal = journal;
    this.view = view;
    this.#account = account;
    this.#parts = parts;
    this.#notes = notes;
    this.#oldest = oldest;
    this.#stretch = { begins: journal.last + 1, entries: 0, bytes: 0, before: 0 };
  }

  static async open(kv: Kv, journal: Journal, view: View, account: Account): Promise<KeptView> {
    const stored = await kv.get(viewKey(view));
    const parts = await kv.page({ ...partKeys(view), limit: MAX_PARTS });
    const oldest = stored === undefined ? journal.last : Math.max(journal.oldest, Number(Buffer.from(stored).toString('utf8')));
    if (stored === undefined) {
      await kv.batch([{ type: 'put', key: viewKey(view), value: Buffer.from(String(oldest)) }, ...account(0)], { sync: false });
    }
    return new KeptView(
      { kv, journal, view, account },
      { parts: new Map(parts.map(([key, row]) => [lastPart(key), readPart(row)])), notes: await ListNotes.open(kv, view), oldest },
    );
  }

  parts(): ReadonlyMap<string, Part> {
    return this.#parts;
  }

  /** How often all rows of a peer were dropped. Rows recorded before a drop do not combine with rows recorded after it. */
  drops(peer: string): number {
    return this.#drops.get(peer) ?? 0;
  }

  /**
   * Notes how the list of a version differs from what is kept. The log may have no entries for these rows, so a watch from that version has
   * to show them as they are, or must not go on from there.
   */
  noteList(version: number, note: ListNote | Untraceable): Promise<void> {
    return this.#serially(async () => {
      this.#assertOpen();
      // clients name the version: do not store notes for versions that were never given
      if (!this.#isKnown(version)) return;
      const ops = this.#notes.add(version, note);
      if (ops.length > 0) await this.#store(ops);
    });
  }

  /** What was noted of the list of that version. Throws GONE if nobody can go on from it. */
  listNote(version: number): ListNote {
    this.assertKept(version);
    return this.#notes.of(version);
  }

  /** Version of the last log entry that this process wrote. */
  get latest(): number {
    return this.#latest;
  }

  /** Number of log entries that this process ever wrote. Methods that write return how many of them are their own. */
  get logged(): number {
    return this.#logged;
  }

  /** Ends all writing; later attempts throw. Called when the view is being forgotten, or the daemon stops. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#last.catch(() => undefined);
    this.bell.ring();
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Throws GONE unless the log has all changes after that version. */
  assertKept(version: number): void {
    if (!this.#isKnown(version) || this.#closed) throw unknownVersion(version);
  }

  /** A version from which to go on with all that is kept now, and with the given version of the own store. */
  stamp(local: number): Promise<number> {
    // serially, so that no entry with a lower version is still to be written
    return this.#serially(() => this.#journal.mark(local));
  }

  /** Like `stamp`, for a list: no other reader gets its version. */
  stampList(local: number): Promise<number> {
    return this.#serially(() => this.#journal.own(local));
  }

  /** Rows of a peer after a name, in order. */
  rows(peer: string, after: string, limit = ROWS_AT_ONCE): Promise<PeerRow[]> {
    return rowsIn(this.#kv, this.view, peer, after, limit);
  }

  /**
   * A snapshot of the present state; the caller closes it. Given a version of the own store, the snapshot gets a version of its own, for a
   * list: a watch goes on from it with both.
   */
  freeze(local?: number): Promise<Frozen> {
    return this.#serially(async () => {
      this.#assertOpen();
      const version = local === undefined ? this.#journal.last : await this.#journal.own(local);
      return new Frozen(this.view, version, new Map(this.#parts), this.#kv.snapshot());
    });
  }

  async row(peer: string, name: string): Promise<string | undefined> {
    const found = await this.#kv.get(rowKey(this.view, peer, name));
    return found === undefined ? undefined : text(found);
  }

  /** Log entries after a version, oldest first, up to another one. Throws GONE if the log does not reach back to it. */
  async after(version: number, limit: number, upTo = this.#journal.last): Promise<{ version: number; entry: LogEntry }[]> {
    this.assertKept(version);
    if (version >= upTo) return [];
    const range = { gte: logKey(this.view, version + 1), lt: logKey(this.view, upTo + 1), limit };
    const rows = await this.#kv.page(range);
    // entries trimmed during the read would be missing
    this.assertKept(version);
    return rows.map(([key, row]) => ({ version: versionOfKey(key), entry: decodeLogEntry(row) }));
  }

  /** Stores rows that the peer showed. Says nothing about its other rows. */
  upsert(peer: PeerNode, rows: readonly PeerRow[]): Promise<number> {
    return this.#serially(async () => {
      const changes: RowChange[] = [];
      for (const { name, json } of rows) {
        const previous = await this.row(peer.key, name);
        if (previous !== json) changes.push({ name, json, ...(previous === undefined ? {} : { previous }) });
      }
      return this.#present(peer, changes);
    });
  }

  /**
   * Stores all rows that the peer has after one name and up to another (undefined: to the end), and deletes others kept in this range. With
   * `whole`, this completes all rows of the peer as of `whole.version`, provided that nothing has been dropped since `whole.drops`.
   */
  replace(
    peer: PeerNode,
    { after, upTo }: { after: string; upTo: string | undefined },
    rows: readonly PeerRow[],
    whole?: { version: string; drops: number },
  ): Promise<number> {
    return this.#serially(async () => {
      const now = new Map(rows.map(({ name, json }) => [name, json]));
      const changes: RowChange[] = [];
      const covered = (name: string) => upTo === undefined || name <= upTo;
      for (let from = after, more = true; more; ) {
        const kept = await this.rows(peer.key, from);
        for (const { name, json: previous } of kept) {
          if (!covered(name)) break;
          const json = now.get(name);
          now.delete(name);
          if (json !== previous) changes.push({ name, previous, ...(json === undefined ? {} : { json }) });
        }
        from = kept.at(-1)?.name ?? '';
        more = kept.length === ROWS_AT_ONCE && covered(from);
      }
      for (const [name, json] of now) changes.push({ name, json });
      return this.#present(peer, changes, whole?.drops === this.drops(peer.key) ? whole.version : undefined);
    });
  }

  /** Stores a change that the peer reported; `json` is absent for a deletion. */
  change(peer: PeerNode, name: string, json: string | undefined): Promise<void> {
    return this.#serially(async () => {
      const previous = await this.row(peer.key, name);
      if (previous === json) return;
      await this.#commit(peer, [{ name, ...(json === undefined ? {} : { json }), ...(previous === undefined ? {} : { previous }) }]);
    });
  }

  /** Notes the version of the peer from which its changes have to be taken in. */
  setPosition(peer: PeerNode, position: string | undefined): Promise<void> {
    return this.#serially(async () => {
      const known = this.#parts.get(peer.key);
      if (known === undefined || known.position === position) return;
      const { position: _before, ...part } = known;
      await this.#commit(peer, [], { ...part, ...(position === undefined ? {} : { position }) });
    });
  }

  /** Notes that the peer does not answer. `since` stays at the first such time. */
  setAway(peer: PeerNode, since: string): Promise<number> {
    return this.#serially(async () => {
      const part = this.#parts.get(peer.key);
      // nothing is kept of a peer that never answered, so nothing can be old
      if (part === undefined || part.since !== undefined) return 0;
      const entry: LogEntry = { type: 'STALE', peer: peer.key, namespace: peer.namespace, since };
      return this.#commit(peer, [], { ...part, since }, part.rows === 0 ? [] : [entry]);
    });
  }

  /** Notes that the peer answers. */
  setPresent(peer: PeerNode): Promise<number> {
    return this.#serially(() => this.#present(peer, []));
  }

  /** Deletes all that is kept of a peer, because it denied access or is no longer a member. */
  drop(key: string): Promise<number> {
    return this.#serially(async () => {
      let logged = 0;
      this.#drops.set(key, this.drops(key) + 1);
      for (let part = this.#parts.get(key); part !== undefined; part = this.#parts.get(key)) {
        const rows = await this.rows(key, '');
        const changes = rows.map(({ name, json: previous }) => ({ name, previous }));
        logged += changes.length;
        // if this ends half-way, nobody may go on from the rest
        const { position: _before, ...rest } = part;
        if (changes.length > 0) await this.#commit(part, changes, rest);
        if (rows.length === ROWS_AT_ONCE) continue;
        await this.#store([{ type: 'del', key: partKey(this.view, key) }]);
        this.#parts.delete(key);
      }
      return logged;
    });
  }

  #part(peer: PeerNode): Part {
    return this.#parts.get(peer.key) ?? { peer: peer.key, domain: peer.domain, namespace: peer.namespace, rows: 0, bytes: 0 };
  }

  /** Writes changes of a peer that answers. With `position`, they complete its rows up to that version. */
  #present(peer: PeerNode, changes: readonly RowChange[], position?: string): Promise<number> {
    const { since, ...part } = this.#part(peer);
    const further = position !== undefined && (part.position === undefined || Number(part.position) < Number(position));
    if (since === undefined && !further) return this.#commit(peer, changes);
    const entry: LogEntry = { type: 'PRESENT', peer: peer.key, namespace: peer.namespace };
    return this.#commit(peer, changes, further ? { ...part, position } : part, since === undefined || part.rows === 0 ? [] : [entry]);
  }

  async #commit(of: PeerNode | Part, changes: readonly RowChange[], state?: Part, more: readonly LogEntry[] = []): Promise<number> {
    const part = state ?? ('peer' in of ? of : this.#part(of));
    if (changes.length === 0 && state === undefined) {
      if (!this.#parts.has(part.peer)) await this.#write(part, [], []);
      return 0;
    }
    const { peer, namespace } = part;
    const ops: KvOp[] = [];
    const entries: LogEntry[] = [...more];
    let { rows, bytes } = part;
    for (const { name, json, previous } of changes) {
      const key = rowKey(this.view, peer, name);
      rows += (json === undefined ? 0 : 1) - (previous === undefined ? 0 : 1);
      bytes += (json?.length ?? 0) - (previous?.length ?? 0);
      if (json === undefined) {
        if (previous === undefined) continue;
        ops.push({ type: 'del', key });
        entries.push({ type: 'DELETED', peer, namespace, previous });
      } else {
        ops.push({ type: 'put', key, value: Buffer.from(json) });
        entries.push(
          previous === undefined ? { type: 'ADDED', peer, namespace, json } : { type: 'MODIFIED', peer, namespace, json, previous },
        );
      }
    }
    if (rows > MAX_PART_ROWS || bytes > MAX_PART_BYTES) {
      throw new DtkdError(
        'TOO_LARGE',
        `${namespace} shows more than ${MAX_PART_ROWS} objects of a kind, or too large ones, to be followed`,
        {
          next: 'List them, or ask for less with -n and selectors.',
        },
      );
    }
    await this.#write({ ...part, rows, bytes }, ops, entries);
    return entries.length;
  }

  async #write(part: Part, rowOps: readonly KvOp[], entries: readonly LogEntry[]): Promise<void> {
    this.#assertOpen();
    const ops: KvOp[] = [...rowOps, { type: 'put', key: partKey(this.view, part.peer), value: Buffer.from(JSON.stringify(part)) }];
    let logged = 0;
    let latest = 0;
    for (const entry of entries) {
      const value = encodeLogEntry(entry);
      logged += value.length;
      latest = this.#journal.next();
      ops.push({ type: 'put', key: logKey(this.view, latest), value });
    }
    const grown = part.bytes - (this.#parts.get(part.peer)?.bytes ?? 0);
    const freed = this.#turnStretch(entries.length, logged, ops);
    ops.push(...this.#account(grown + logged - freed));
    await this.#store(ops);
    this.#parts.set(part.peer, part);
    if (entries.length === 0) return;
    this.#latest = latest;
    this.#logged += entries.length;
    this.bell.ring();
  }

  /** All writes go through here. */
  async #store(ops: readonly KvOp[]): Promise<void> {
    this.#assertOpen();
    await this.#kv.batch(ops, { sync: false });
  }

  #assertOpen(): void {
    if (this.#closed) throw new DtkdError('UNAVAILABLE', 'the answers of other nodes are no longer kept', { next: 'Try again later.' });
  }

  /** Begins a new stretch of the log if the present one is full, and drops the stretch before it. Returns the number of bytes freed. */
  #turnStretch(entries: number, bytes: number, ops: KvOp[]): number {
    const stretch = this.#stretch;
    stretch.entries += entries;
    stretch.bytes += bytes;
    if (stretch.entries < STRETCH_ENTRIES && stretch.bytes < STRETCH_BYTES) return 0;
    const freed = stretch.before;
    const oldest = Math.max(this.#oldest, stretch.begins - 1);
    ops.unshift(...this.#cutLog(oldest));
    this.#oldest = oldest;
    this.#stretch = { begins: this.#journal.last + 1, entries: 0, bytes: 0, before: stretch.bytes };
    return freed;
  }

  #cutLog(oldest: number): KvOp[] {
    return [
      { type: 'clear', gte: logKey(this.view, 0), lt: logKey(this.view, oldest + 1) },
      ...this.#notes.cut(oldest - 1),
      { type: 'put', key: viewKey(this.view), value: Buffer.from(String(oldest)) },
    ];
  }

  /** Runs writes one at a time, since log entries must be written in the order of their versions. */
  #serially<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#last.then(run, run);
    this.#last = result.catch(() => undefined);
    return result;
  }
}

function readPart(row: Uint8Array): Part {
  const part: Part = JSON.parse(text(row));
  return part;
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
