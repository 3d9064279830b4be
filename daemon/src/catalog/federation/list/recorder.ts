/**
 * Stores pages of peers as they pass through. Guarantees that a row is kept before the page that shows it is passed on (or that a follower
 * of the peer will keep it), so a watch from the list's version knows what its client was shown.
 */
import { type ApiObject, toTimestamp } from '../../../../../protocol/objects/objects.ts';
import type { Logger } from '../../../logging/logger.types.ts';
import type { KeptView } from '../cache/kept-view.ts';
import { deadline } from '../peer/deadline.ts';
import { type PageBounds, type PageQuery, type PeerPage, peerPage, reasonOf } from '../peer/peer-page.ts';
import { objectOf } from '../peer/row.ts';
import type { PeerApi, PeerNode } from '../peer-api.types.ts';
import { caughtUp } from './caught-up.ts';
import { isTraced } from './tracing.ts';

/** Milliseconds after which to look again whether changes of a peer come in. */
const LOOK_AGAIN_MS = 250;
/** Peers with a half-recorded list at once; beyond this the rest of a list is recorded without its version. */
const MAX_WALKS = 1024;

export interface RecorderPorts {
  peers: PeerApi;
  kept: KeptView;
  walks: Walks;
  own: ListRecord;
  logger: Logger;
  now: () => number;
}

/** What the pages of a list did to what is kept. */
export interface ListRecord {
  /** Number of log entries written for the list. */
  entries: number;
  /** The list showed rows that may never become known here. */
  untraceable: boolean;
  /** The list's version, if it shows pages as they arrive; absent if it shows what is kept. */
  since?: number;
}

/** How far current lists have been recorded page by page, without a gap from the beginning. */
export class Walks {
  readonly #upTo = new Map<string, { version: string; name: string; drops: number }>();

  /** If this page completes the peer's rows, returns their version, and the number of drops when the list began. */
  advance(
    peer: string,
    { version, drops }: { version: string; drops: number },
    { before, last, more }: { before: string; last: string; more: boolean },
  ): { version: string; drops: number } | undefined {
    const walk = before === '' ? { version, name: '', drops } : this.#upTo.get(peer);
    if (walk === undefined || walk.version !== version || walk.name !== before) return undefined;
    this.#upTo.delete(peer);
    if (!more) return walk;
    if (this.#upTo.size >= MAX_WALKS) this.#upTo.clear();
    this.#upTo.set(peer, { ...walk, name: last });
    return undefined;
  }

  /** How far the half-recorded list of the peer has come, if its version is newer than the given one. */
  after(peer: string, version: number): { version: number; name: string } | undefined {
    const walk = this.#upTo.get(peer);
    return walk === undefined || Number(walk.version) <= version ? undefined : { version: Number(walk.version), name: walk.name };
  }
}

/** `before`: the name after which the page begins. `everything`: the page shows all rows after it, without a selector. */
export interface Recording {
  everything: boolean;
  before: string;
  /**
   * Set if the list shows what is kept instead of the page: selects what the page would show. The page fails if what is kept does not
   * become as new.
   */
  keptInstead?: (object: ApiObject) => boolean;
}

export async function recordedPage(
  ports: RecorderPorts,
  peer: PeerNode,
  query: PageQuery,
  bounds: PageBounds,
  recording: Recording,
): Promise<PeerPage> {
  const { kept } = ports;
  const time = deadline(bounds.timeoutMs, bounds.signal);
  const release = await turn(kept, peer.key, time.signal, recording.keptInstead !== undefined);
  if (release === undefined && !kept.leases.isFollowed(peer.key)) {
    time.end();
    return { outcome: 'failed', reason: `it was still busy with another request after ${bounds.timeoutMs} ms` };
  }
  try {
    // rows kept under the peer's former name do not belong to the present one
    if (release !== undefined && (kept.parts().get(peer.key)?.namespace ?? peer.namespace) !== peer.namespace) await kept.drop(peer.key);
    const stream = kept.leases.streamOf(peer.key);
    const page = await peerPage(ports.peers, peer, query, bounds);
    if (bounds.signal.aborted) return page;
    // a member that was removed meanwhile: nobody may see its rows any more
    if (ports.peers.peerNamed(peer.namespace)?.key !== peer.key) return { outcome: 'failed', reason: 'it is no longer a member' };
    if (release !== undefined) await record(ports, peer, page, recording);
    else if (recording.keptInstead !== undefined) return await asKept(kept, peer, page, recording, { stream, signal: time.signal });
    else if (page.outcome === 'page') {
      // unless changes came in all the time from before the request until now, rows of the page may never become known here
      const isLive = stream !== undefined && kept.leases.streamOf(peer.key) === stream;
      if (!isLive) ports.own.untraceable = true;
      else await trace(ports, peer, page, recording, kept.leases.seen(peer.key));
    }
    return page;
  } finally {
    time.end();
    release?.();
  }
}

/**
 * Takes the peer's lease. Undefined if the peer is followed, or the signal aborts. With `live`, waits until the changes of a followed peer
 * come in.
 */
async function turn(kept: KeptView, peer: string, signal: AbortSignal, live: boolean): Promise<(() => void) | undefined> {
  for (;;) {
    const release = await kept.leases.take(peer, signal);
    if (release !== undefined || !live || signal.aborted || kept.leases.streamOf(peer) !== undefined) return release;
    if (kept.leases.isFollowed(peer)) await kept.leases.progress.wait(signal, LOOK_AGAIN_MS);
  }
}

async function asKept(
  kept: KeptView,
  peer: PeerNode,
  page: PeerPage,
  { before, keptInstead = () => true }: Recording,
  { stream, signal }: { stream: symbol | undefined; signal: AbortSignal },
): Promise<PeerPage> {
  if (page.outcome !== 'page') return page;
  const given = {
    rows: page.rows,
    version: Number(page.resourceVersion),
    after: before,
    upTo: page.cut || page.continue !== '' ? (page.rows.at(-1)?.name ?? before) : undefined,
    matches: (json: string) => keptInstead(objectOf(json)),
  };
  const isLive = stream !== undefined && kept.leases.streamOf(peer.key) === stream;
  return isLive && (await caughtUp(kept, peer.key, given, signal)) ? page : { outcome: 'failed', reason: 'its changes arrive too late' };
}

async function record(ports: RecorderPorts, peer: PeerNode, page: PeerPage, recording: Recording): Promise<void> {
  const { kept, walks, own, logger, now } = ports;
  try {
    if (page.outcome !== 'page') {
      const logged = await (page.outcome === 'denied' ? kept.drop(peer.key) : kept.setAway(peer, toTimestamp(now())));
      own.entries += logged;
      return;
    }
    const { before } = recording;
    const version = Number(page.resourceVersion);
    const position = Number(kept.parts().get(peer.key)?.position ?? 0);
    // the page is of an older list: later changes would not restore newer rows that it overwrites
    if (version < position && before !== '') {
      own.entries += await kept.setPresent(peer);
      await trace(ports, peer, page, recording, position);
      return;
    }
    const newer = before === '' ? undefined : walks.after(peer.key, version);
    const after = newer !== undefined && newer.name > before ? newer.name : before;
    const rows = newer === undefined ? page.rows : page.rows.filter(({ name }) => name > after);
    // a list that begins now with an older version comes from a new store, in which the position means nothing
    if (version < position) await kept.setPosition(peer, undefined);
    const last = page.rows.at(-1)?.name ?? before;
    const more = page.cut || page.continue !== '';
    const whole = recording.everything
      ? walks.advance(peer.key, { version: page.resourceVersion, drops: kept.drops(peer.key) }, { ...recording, last, more })
      : undefined;
    const logged = recording.everything
      ? await kept.replace(peer, { after, upTo: more ? last : undefined }, rows, whole)
      : await kept.upsert(peer, rows);
    // added only now, since other pages of the list are recorded meanwhile
    own.entries += logged;
    if (newer !== undefined) await trace(ports, peer, page, recording, newer.version);
  } catch (error) {
    // without a record nobody would know what the list has shown, so the list fails
    if (kept.closed) throw error;
    logger.debug({ peer: peer.namespace, why: reasonOf(error) }, 'What a peer answered could not be kept');
    own.untraceable = true;
    await kept.setPosition(peer, undefined).catch(() => undefined);
  }
}

/** Notes if the page shows rows whose later changes or deletion may never be reported. */
async function trace(
  { kept, own }: RecorderPorts,
  { key: peer }: PeerNode,
  { rows }: Extract<PeerPage, { outcome: 'page' }>,
  { before }: Recording,
  upTo: number,
): Promise<void> {
  // the first page of a peer shows its present rows: later changes come in after it
  if (own.since === undefined || own.untraceable || before === '') return;
  // an error here means that the log does not reach back, so nobody could go on from it
  const traced = await isTraced(kept, { peer, rows, before, since: own.since, upTo }).catch(() => false);
  if (!traced) own.untraceable = true;
}
