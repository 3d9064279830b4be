/**
 * Checks rows of a page that is older than what is kept. A watch from the list has to report what became of each row: it is kept, or its
 * changes are still to come, or the log has its deletion. A row that appeared and was deleted while nobody kept it is none of these.
 */
import type { KeptView } from '../cache/kept-view.ts';
import { objectOf } from '../peer/row.ts';
import type { PeerRow } from '../peer/rows-decoder.ts';

/** Log entries read in one step. */
const AT_ONCE = 200;

export interface OlderPage {
  /** Key of the peer. */
  peer: string;
  /** In name order. */
  rows: readonly PeerRow[];
  /** The name after which the rows begin. */
  before: string;
  /** The list's version. */
  since: number;
  /** The peer's version up to which what is kept is complete, or will be. */
  upTo: number;
}

/** True if a watch from the list's version reports what became of each row. Throws GONE if the log does not reach back to it. */
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
