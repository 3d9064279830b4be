/**
 * What becomes of rows that a page showed as they were when its list began, while newer ones are kept. Whoever goes on from the list has to be told of each: it
 * is kept, its changes come in yet, or the log says that it has gone since. A row that came and went while nobody kept it is none of these.
 */
import type { KeptView } from '../cache/kept-view.ts';
import { objectOf } from '../peer/row.ts';
import type { PeerRow } from '../peer/rows-decoder.ts';

/** Entries of the log that are read at once. */
const AT_ONCE = 200;

export interface OlderPage {
  /** Key of the peer. */
  peer: string;
  /** In the order of their names. */
  rows: readonly PeerRow[];
  /** The name after which they begin. */
  before: string;
  /** The list's version. */
  since: number;
  /** The peer's version up to which what is kept is whole, or is to become so. */
  upTo: number;
}

/** True if who goes on from the list is told of each of the rows. GONE if the log does not reach back to it. */
export async function isTraced(kept: KeptView, { peer, rows, before, since, upTo }: OlderPage): Promise<boolean> {
  const missing = new Map(rows.map(({ name, json }) => [name, json]));
  const last = rows.at(-1)?.name ?? before;
  for (let after = before; after < last; ) {
    const held = await kept.rows(peer, after);
    for (const { name } of held) missing.delete(name);
    after = held.at(-1)?.name ?? last;
  }
  for (const [name, json] of missing) if (Number(objectOf(json).metadata.resourceVersion) > upTo) missing.delete(name);
  for (let from = since, more = true; more && missing.size > 0; ) {
    const entries = await kept.after(from, AT_ONCE);
    for (const { version, entry } of entries) {
      from = version;
      if (entry.type === 'DELETED' && entry.peer === peer) missing.delete(objectOf(entry.previous).metadata.name);
    }
    more = entries.length === AT_ONCE;
  }
  return missing.size === 0;
}
