/** A snapshot of what is kept of other nodes, at one version: for readers that need all of it while it goes on changing. */
import type { KvSnapshot } from '../../../store/kv.ts';
import type { PeerRow } from '../peer/rows-decoder.ts';
import { lastPart, rowKey, type View } from './cache-keys.ts';
import { unknownVersion } from './journal.ts';
import type { Part } from './part.ts';

/**
 * Milliseconds after which a snapshot is closed: while it is open, the database keeps what is overwritten, and its reader may never come
 * back.
 */
const MAX_AGE_MS = 300_000;

export class Frozen {
  /** The version from which a watch goes on. */
  readonly version: number;
  readonly parts: ReadonlyMap<string, Part>;
  readonly #view: View;
  readonly #snapshot: KvSnapshot;
  readonly #timer: NodeJS.Timeout;
  #closing: Promise<void> | undefined;

  constructor(view: View, version: number, parts: ReadonlyMap<string, Part>, snapshot: KvSnapshot) {
    this.#view = view;
    this.version = version;
    this.parts = parts;
    this.#snapshot = snapshot;
    this.#timer = setTimeout(() => void this.close().catch(() => undefined), MAX_AGE_MS).unref();
  }

  /** Rows of a peer after a name, in order. Throws GONE once the snapshot is closed. */
  rows(peer: string, after: string, limit: number): Promise<PeerRow[]> {
    if (this.#closing !== undefined) throw unknownVersion(this.version);
    return rowsIn(this.#snapshot, this.#view, peer, after, limit);
  }

  close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#closing ??= this.#snapshot.close();
    return this.#closing;
  }
}

export async function rowsIn(from: Pick<KvSnapshot, 'page'>, view: View, peer: string, after: string, limit: number): Promise<PeerRow[]> {
  const first = rowKey(view, peer, after);
  const rows = await from.page({ gte: after === '' ? first : `${first}\0`, lt: rowKey(view, peer, '~'), limit });
  return rows.map(([key, json]) => ({
    name: lastPart(key),
    json: Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString('utf8'),
  }));
}
