/**
 * A list over nodes page by page, in the order of their names: each node is asked when its turn comes, or a little before. All pages bear the version
 * of the first, from which a watch goes on; it may repeat what a later page showed.
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
  /** Where the page before ended; undefined: the first. */
  resumed: Continuation | undefined;
  /** All peers, in the order of their names. */
  peers: readonly PeerNode[];
  /** Those of which something is kept though they are gone, by key. */
  gone: readonly string[];
  /** Filled by `fetch`. */
  record: ListRecord;
  fetch: (peer: PeerNode, place: Place, limit: number, maxBytes: number) => Promise<PeerPage>;
  /** This node's rows, if they are meant, at `version` of its store. */
  own: { namespace: string; turn: (place: Place) => Turn } | undefined;
  version: number;
}

export async function pagedList(options: PagedListOptions): Promise<FederatedList> {
  const { kind, selection, kept, resumed, peers, gone, record, fetch, own, version, limit, stale, onStatement, now } = options;
  const { logged } = kept;
  const resourceVersion = resumed?.resourceVersion ?? String(await kept.stampList(version));
  record.since = Number(resourceVersion);
  // who comes only now is told of after that version
  const note = new Map<string, Difference>(gone.map((peer) => [peer, 'partly']));
  const close = async (isLast: boolean) => {
    await kept.noteList(Number(resourceVersion), record.untraceable ? 'untraceable' : note);
    if (resumed !== undefined || !isLast) return resourceVersion;
    // before it is counted: what was being written then is in the version, and counted only now
    const later = await kept.stampList(version);
    // what was kept meanwhile and not by this list is news for its reader
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

/** True for nodes that earlier pages have shown to their end. */
function isOver(namespace: string, resumed: Continuation | undefined): boolean {
  if (resumed === undefined) return false;
  return resumed.within === undefined ? namespace <= resumed.namespace : namespace < resumed.namespace;
}

function placeOf(namespace: string, resumed: Continuation | undefined): Place {
  if (resumed?.within === undefined || namespace !== resumed.namespace) return BEGINNING;
  return { ...resumed.within, after: resumed.name };
}
