/**
 * A list without an end over nodes, as those ask for it who then watch: first every node is asked, all at once, and what it answers is kept; then what
 * is kept is shown as it stands at one version, together with the own rows at the version that belongs to it. So a watch from the list's version tells
 * exactly what came after. A node that does not answer is shown as it was last, marked; it delays the list by its deadline and no more.
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

/** Rows and bytes of a page; nodes asked at once, so that their answers have a bounded size together. */
const PAGE_ROWS = 1_000;
const PAGE_BYTES = 4 * 1024 * 1024;
const AT_ONCE = 16;
/** Rows that are read of what is kept at once. */
const BATCH_ROWS = 500;

/** Whom to ask, and how. */
export interface Asking {
  /** Those that are meant. */
  peers: readonly PeerNode[];
  selection: FederatedSelection;
  kept: KeptView;
  /** Asks for a page of all rows of a peer, or of those that are selected. */
  fetch: (peer: PeerNode, place: PagePlace) => Promise<PeerPage>;
  /** Milliseconds for each page, and for all of a peer that brings no full ones: everybody else waits for it. */
  timeoutMs: number;
  now: () => number;
  signal: AbortSignal;
}

export interface WholeListOptions extends Asking {
  /** This node's rows at a version, if they are meant. */
  own: { namespace: string; turn: (version: number) => Turn } | undefined;
  /** The present version of the own store. */
  localVersion: () => number;
  /** Filled by `fetch`. */
  record: ListRecord;
}

export interface PagePlace {
  everything: boolean;
  continue: string;
  /** The name after which it begins. */
  before: string;
  limit: number;
  maxBytes: number;
}

/** How a node answered. */
type Answer = { state: 'answered' } | { state: 'denied' | 'failed'; reason: string };

/** False while somebody follows one of the peers under a name that it had before: what is kept of it is then not what it shows now. */
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
    // shown as it is kept, or as what it is not
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
  // what is shown is what is kept: not if that was given up meanwhile
  if (answer.state === 'answered' && since !== undefined) return { node, state: 'answered' };
  const reason = answer.state === 'answered' ? 'it came under another name, or was removed' : answer.reason;
  if (answer.state === 'denied') return { node, state: 'denied', reason };
  return since === undefined ? missing(peer, reason) : { node, state: 'stale', since, reason };
}

/** Asks all of them, and keeps what they answer; of those that are followed it waits until as much has come in. */
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

/** Asks page by page until all is kept. Returns the version of what was shown, or what came instead. */
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
    // one may wait for its turn and for the answer; each full page earns the time of another: who gives row by row would else hold the list up for hours
    const pages = 2 + names.size / PAGE_ROWS + bytes / PAGE_BYTES;
    if (performance.now() - began > timeoutMs * pages) return { state: 'failed', reason: 'it gives its rows too slowly' };
    const page = await fetch(peer, place);
    if (page.outcome !== 'page') return { state: page.outcome, reason: page.reason };
    if (page.cut) {
      // a page of as many rows as came ends where the next one begins; unless it is as large once more
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

/** True if rows are kept that would show and did not: they have changed since, and nobody was told how. */
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
  // what it showed under another name is not what is asked for
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
