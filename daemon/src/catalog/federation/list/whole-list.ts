/**
 * A list over nodes without a limit, as clients request it before a watch. First all nodes are asked at once, and their answers are kept.
 * Then the list shows what is kept, at one version, together with the own rows at the version that belongs to it. So a watch from the
 * list's version reports exactly what came after. A node that does not answer is shown as last known, and marked; it delays the list by no
 * more than its time limit.
 */
import type { NodeStatement } from '../../../../../protocol/objects/completeness.ts';
import { toTimestamp } from '../../../../../protocol/objects/objects.ts';
import type { Frozen } from '../cache/frozen.ts';
import { type KeptView, MAX_PART_BYTES, MAX_PART_ROWS } from '../cache/kept-view.ts';
import type { Difference } from '../cache/list-notes.ts';
import type { Part } from '../cache/part.ts';
import type { FederatedList, Json } from '../federation.types.ts';
import { missing, whyAbsent } from '../peer/absence.ts';
import type { PeerPage } from '../peer/peer-page.ts';
import { objectOf } from '../peer/row.ts';
import type { PeerNode } from '../peer-api.types.ts';
import type { FederatedSelection } from '../selection.ts';
import { markedStale, TOO_MUCH } from './concatenation.ts';
import type { ListRecord } from './recorder.ts';
import type { Turn } from './turn.ts';

/** Rows and bytes of a page, and nodes asked at once: together they bound the size of the answers. */
const PAGE_ROWS = 1_000;
const PAGE_BYTES = 4 * 1024 * 1024;
const AT_ONCE = 16;
/** Kept rows read in one step. */
const BATCH_ROWS = 500;

/** Which peers to ask, and how. */
export interface Asking {
  /** The selected peers. */
  peers: readonly PeerNode[];
  selection: FederatedSelection;
  kept: KeptView;
  /** Requests a page of all rows of a peer, or of the selected ones. */
  fetch: (peer: PeerNode, place: PagePlace) => Promise<PeerPage>;
  /** Milliseconds for each page. A peer as a whole has twice that, and as much again for each full page: all others wait for it. */
  timeoutMs: number;
  now: () => number;
  signal: AbortSignal;
}

export interface WholeListOptions extends Asking {
  /** This node's rows at a version; undefined if they are not selected. */
  own: { namespace: string; turn: (version: number) => Turn } | undefined;
  /** The present version of the own store. */
  localVersion: () => number;
  /** Filled by `fetch`. */
  record: ListRecord;
}

export interface PagePlace {
  everything: boolean;
  continue: string;
  /** The name after which the page begins. */
  before: string;
  limit: number;
  maxBytes: number;
}

/** How a node answered. */
type Answer = { state: 'answered' } | { state: 'denied' | 'failed'; reason: string };

/** False while a peer is followed under a former name: what is kept is then not what it shows now. */
export function canShowWhole(
  { leases, ...kept }: Pick<KeptView, 'leases'> & { parts: ReadonlyMap<string, Part> },
  peers: readonly PeerNode[],
): boolean {
  return peers.every(({ key, namespace }) => !leases.isFollowed(key) || (kept.parts.get(key)?.namespace ?? namespace) === namespace);
}

export async function wholeList(options: WholeListOptions): Promise<FederatedList> {
  const { kept, peers, selection, record, now } = options;
  const answers = await askAll(options);
  const version = options.localVersion();
  const frozen = await kept.freeze(version);
  const completeness: NodeStatement[] = [];
  const note = new Map<string, Difference>();
  for (const { peer, namespace } of frozen.parts.values()) if (selection.covers(namespace)) note.set(peer, 'absent');
  for (const peer of peers) {
    const answer = answers.get(peer.key) ?? { state: 'failed', reason: 'it was not asked' };
    const part = frozen.parts.get(peer.key);
    const since = part?.namespace === peer.namespace ? (part.since ?? toTimestamp(now())) : undefined;
    const statement = statementOf(peer, answer, since);
    completeness.push(statement);
    if (since === undefined || answer.state === 'denied') continue;
    // whether the list marks the rows as old exactly if they are kept as old
    const isAsKept = (statement.state === 'stale') === (part?.since !== undefined);
    if (isAsKept) note.delete(peer.key);
    else note.set(peer.key, 'otherwise');
  }
  try {
    await kept.noteList(frozen.version, record.untraceable ? 'untraceable' : note);
  } catch (error) {
    await frozen.close();
    throw error;
  }
  const resourceVersion = String(frozen.version);
  return {
    resourceVersion,
    batches: batches(options, frozen, completeness, version),
    end: () => ({ resourceVersion, completeness }),
  };
}

function statementOf(peer: PeerNode, answer: Answer, since: string | undefined): NodeStatement {
  const { namespace: node } = peer;
  // the list shows what is kept, which may have been dropped meanwhile
  if (answer.state === 'answered' && since !== undefined) return { node, state: 'answered' };
  const reason = answer.state === 'answered' ? 'it has another name now, or was removed' : answer.reason;
  if (answer.state === 'denied') return { node, state: 'denied', reason };
  return since === undefined ? missing(peer, reason) : { node, state: 'stale', since, reason };
}

/** Asks all peers and keeps their answers. For a followed peer, waits until the changes up to its answer have come in. */
export async function askAll(options: Asking): Promise<ReadonlyMap<string, Answer>> {
  const answers = new Map<string, Answer>();
  const waiting = options.peers.values();
  const ask = async () => {
    for (const peer of waiting) answers.set(peer.key, await askOne(options, peer));
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, options.peers.length) }, ask));
  return answers;
}

async function askOne(options: Asking, peer: PeerNode): Promise<Answer> {
  const { kept, selection, now } = options;
  if (!peer.reachable) {
    if (!kept.leases.isFollowed(peer.key) && kept.parts().has(peer.key)) await kept.setAway(peer, toTimestamp(now()));
    return { state: 'failed', reason: whyAbsent(peer) };
  }
  const names = new Set<string>();
  const walked = await walk(options, peer, selection.everything, names);
  if ('state' in walked) return walked;
  if (!selection.everything && (await hasLeftovers(options, peer, names, walked.version))) {
    const again = await walk(options, peer, true, new Set());
    if ('state' in again) return again;
  }
  return { state: 'answered' };
}

/** Requests page by page until all rows are kept. Returns the version shown, or why it failed. */
async function walk(
  { fetch, timeoutMs, signal }: Asking,
  peer: PeerNode,
  everything: boolean,
  names: Set<string>,
): Promise<{ version: number } | Exclude<Answer, { state: 'answered' }>> {
  let place: PagePlace = { everything, continue: '', before: '', limit: PAGE_ROWS, maxBytes: PAGE_BYTES };
  let bytes = 0;
  const began = performance.now();
  while (!signal.aborted) {
    // a peer may wait for its turn and for the answer, and each full page earns the time for another: a peer that gives row by row would
    // otherwise hold up the list for hours
    const pages = 2 + names.size / PAGE_ROWS + bytes / PAGE_BYTES;
    if (performance.now() - began > timeoutMs * pages) return { state: 'failed', reason: 'it sends its rows too slowly' };
    const page = await fetch(peer, place);
    if (page.outcome !== 'page') return { state: page.outcome, reason: page.reason };
    if (page.cut) {
      // ask for as many rows as arrived, so that the page ends there; for fewer, if that is still too large
      const limit = page.rows.length < place.limit ? page.rows.length : Math.floor(place.limit / 2);
      if (limit === 0) return { state: 'failed', reason: 'it sent a page that cannot be read' };
      place = { ...place, limit };
      continue;
    }
    for (const { name, json } of page.rows) {
      names.add(name);
      bytes += json.length;
    }
    if (names.size > MAX_PART_ROWS || bytes > MAX_PART_BYTES) return { state: 'failed', reason: TOO_MUCH };
    if (page.continue === '') return { version: Number(page.resourceVersion) };
    place = { ...place, continue: page.continue, before: page.rows.at(-1)?.name ?? place.before };
  }
  return { state: 'failed', reason: 'the list was given up' };
}

/** True if kept rows match the selector, but the peer did not show them: they have changed, and nothing reported how. */
async function hasLeftovers({ kept, selection }: Asking, peer: PeerNode, names: ReadonlySet<string>, version: number): Promise<boolean> {
  if (kept.leases.isFollowed(peer.key)) return false;
  for (let after = '', more = true; more; ) {
    const rows = await kept.rows(peer.key, after, BATCH_ROWS);
    for (const { name, json } of rows) {
      if (names.has(name)) continue;
      const object = objectOf(json);
      if (Number(object.metadata.resourceVersion) <= version && selection.matches(object)) return true;
    }
    after = rows.at(-1)?.name ?? after;
    more = rows.length === BATCH_ROWS;
  }
  return false;
}

async function* batches(
  { peers, own, selection }: WholeListOptions,
  frozen: Frozen,
  completeness: readonly NodeStatement[],
  version: number,
): AsyncGenerator<readonly Json[]> {
  try {
    const parts = peers.map((peer, index) => ({
      namespace: peer.namespace,
      rows: () => peerRows(peer, selection, frozen, completeness[index]),
    }));
    if (own !== undefined) parts.push({ namespace: own.namespace, rows: () => ownRows(own.turn(version)) });
    parts.sort((a, b) => (a.namespace < b.namespace ? -1 : 1));
    for (const { rows } of parts) yield* rows();
  } finally {
    await frozen.close();
  }
}

async function* ownRows(turn: Turn): AsyncGenerator<readonly Json[]> {
  while (!turn.done) {
    const given = await turn.take(PAGE_ROWS);
    if ('failed' in given) return;
    yield given.items;
  }
}

async function* peerRows(
  peer: PeerNode,
  selection: FederatedSelection,
  frozen: Frozen,
  statement: NodeStatement | undefined,
): AsyncGenerator<readonly Json[]> {
  if (statement?.state !== 'answered' && statement?.state !== 'stale') return;
  // rows kept under the peer's former name are not what was asked for
  if (frozen.parts.get(peer.key)?.namespace !== peer.namespace) return;
  const since = statement.state === 'stale' ? statement.since : undefined;
  for (let after = '', more = true; more; ) {
    const rows = await frozen.rows(peer.key, after, BATCH_ROWS);
    after = rows.at(-1)?.name ?? after;
    more = rows.length === BATCH_ROWS;
    const items: Json[] = [];
    for (const { json } of rows) {
      if (since === undefined && selection.everything) items.push(json);
      else {
        const object = objectOf(json);
        if (selection.matches(object)) items.push(since === undefined ? json : JSON.stringify(markedStale(object, since)));
      }
    }
    if (items.length > 0) yield items;
  }
}
