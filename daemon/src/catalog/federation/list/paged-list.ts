/**
 * A list over nodes in pages, in the order of the nodes' names: each node is asked when its turn comes, or a little before. All pages have
 * the version of the first one. A watch goes on from it, and may repeat what a later page showed.
 */
import type { Kind } from '../../../../../protocol/kinds/kind.ts';
import type { KeptView } from '../cache/kept-view.ts';
import type { Difference } from '../cache/list-notes.ts';
import type { FederatedList } from '../federation.types.ts';
import type { PeerPage } from '../peer/peer-page.ts';
import type { PeerNode } from '../peer-api.types.ts';
import type { FederatedSelection } from '../selection.ts';
import { Concatenation, type ConcatenationOptions } from './concatenation.ts';
import { type Continuation, Over } from './continue-token.ts';
import type { ListRecord } from './recorder.ts';
import { BEGINNING, PeerTurn, type Place, type Turn } from './turn.ts';

export interface PagedListOptions extends Pick<ConcatenationOptions, 'limit' | 'stale' | 'onStatement' | 'now'> {
  kind: Kind;
  selection: FederatedSelection;
  kept: KeptView;
  /** Where the page before ended; undefined for the first page. */
  resumed: Continuation | undefined;
  /** All peers, in the order of their names. */
  peers: readonly PeerNode[];
  /** Keys of peers that are gone, but of which something is still kept. */
  gone: readonly string[];
  /** Filled by `fetch`. */
  record: ListRecord;
  fetch: (peer: PeerNode, place: Place, limit: number, maxBytes: number) => Promise<PeerPage>;
  /** This node's rows at `version` of its store; undefined if they are not selected. */
  own: { namespace: string; turn: (place: Place) => Turn } | undefined;
  version: number;
}

export async function pagedList(options: PagedListOptions): Promise<FederatedList> {
  const { kind, selection, kept, resumed, peers, gone, record, fetch, own, version, limit, stale, onStatement, now } = options;
  const { logged } = kept;
  const resourceVersion = resumed?.resourceVersion ?? String(await kept.stampList(version));
  record.since = Number(resourceVersion);
  // peers that come only now are logged after that version; the rows of these are logged already
  const note = new Map<string, Difference>(gone.map((peer) => [peer, 'partly']));
  const close = async (isLast: boolean) => {
    await kept.noteList(Number(resourceVersion), record.untraceable ? 'untraceable' : note);
    if (resumed !== undefined || !isLast) return resourceVersion;
    // take the version before counting: writes in progress are then in the version, and in the count
    const later = await kept.stampList(version);
    // entries that others wrote meanwhile are news for this list's reader, so it keeps the earlier version
    if (record.untraceable || kept.logged - logged !== record.entries) return resourceVersion;
    await kept.noteList(later, note);
    return String(later);
  };
  const meant = peers.filter((peer) => selection.covers(peer.namespace));
  const turns = meant
    .filter((peer) => !isOver(peer.namespace, resumed))
    .map(
      (peer): Turn => new PeerTurn(peer, placeOf(peer.namespace, resumed), (place, rows, maxBytes) => fetch(peer, place, rows, maxBytes)),
    );
  if (own !== undefined && !isOver(own.namespace, resumed)) turns.push(own.turn(placeOf(own.namespace, resumed)));
  const list = new Concatenation({
    kind,
    turns: turns.sort((a, b) => (a.namespace < b.namespace ? -1 : 1)),
    before: meant.filter((peer) => isOver(peer.namespace, resumed)),
    over: resumed?.over ?? new Over(),
    limit,
    stale,
    selection,
    kept,
    resourceVersion,
    note,
    close,
    onStatement,
    now,
  });
  return { resourceVersion, batches: list.batches(), end: () => list.end() };
}

/** True for nodes that earlier pages have shown completely. */
function isOver(namespace: string, resumed: Continuation | undefined): boolean {
  if (resumed === undefined) return false;
  return resumed.within === undefined ? namespace <= resumed.namespace : namespace < resumed.namespace;
}

function placeOf(namespace: string, resumed: Continuation | undefined): Place {
  if (resumed?.within === undefined || namespace !== resumed.namespace) return BEGINNING;
  return { ...resumed.within, after: resumed.name };
}
