/**
 * Follows one peer's rows of a kind for one user, and keeps our copy of them current: goes on from the version that is complete, compares a
 * whole list if that is impossible, and retries when the peer was away. Absence deletes nothing: rows go when the owner says so, or denies
 * access.
 */
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { Kind } from '../../../../../protocol/kinds/kind.ts';
import { toTimestamp } from '../../../../../protocol/objects/objects.ts';
import { MAX_ROW_BYTES } from '../../../../../protocol/peers/remote.ts';
import type { UserPrincipal } from '../../../../../protocol/rights/principal.ts';
import type { Logger } from '../../../logging/logger.types.ts';
import { Bell } from '../cache/bell.ts';
import type { KeptView } from '../cache/kept-view.ts';
import type { Tunables } from '../federation.types.ts';
import { whyAbsent } from '../peer/absence.ts';
import { deadline } from '../peer/deadline.ts';
import { LineCutter } from '../peer/line-cutter.ts';
import { peerPage, reasonOf, refusal } from '../peer/peer-page.ts';
import { peerPath } from '../peer/peer-path.ts';
import { objectOf, type RowRules } from '../peer/row.ts';
import type { PeerApi, PeerNode, PeerResponse } from '../peer-api.types.ts';
import { peerEvent } from './watch-line.ts';

/** Rows and bytes of a page when all rows of a peer are compared. */
const PAGE_ROWS = 500;
const PAGE_BYTES = 4 * 1024 * 1024;
/** Milliseconds in which a peer must begin each answer. */
const ANSWER_MS = 5_000;
/** Bytes of a line of a watch around its object. */
const EVENT_BYTES = 1024;

export interface RemoteWatchPorts {
  peers: PeerApi;
  kept: KeptView;
  user: UserPrincipal;
  kind: Kind;
  logger: Logger;
  tunables: Tunables;
  now: () => number;
}

type Ended = { why: 'denied' | 'failed'; reason: string };

export class RemoteWatch {
  readonly key: string;
  readonly #ports: RemoteWatchPorts;
  readonly #stopped = new AbortController();
  readonly #woken = new Bell();
  readonly #settled = Promise.withResolvers<void>();
  #peer: PeerNode;
  #denied = false;
  #deniedRest = 0;
  #isSettled = false;
  /** The error that makes following impossible; followers throw it. */
  failure: DtkdError | undefined;
  #running: Promise<void> | undefined;

  constructor(peer: PeerNode, ports: RemoteWatchPorts) {
    this.#peer = peer;
    this.key = peer.key;
    this.#ports = ports;
  }

  /** The peer, as last reported. */
  get peer(): PeerNode {
    return this.#peer;
  }

  get namespace(): string {
    return this.#peer.namespace;
  }

  /** Resolves once the rows are current, or it is known that they are not available now. */
  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  start(): void {
    this.#running ??= this.#run().catch((error: unknown) => {
      this.failure = error instanceof DtkdError ? error : new DtkdError('INTERNAL', 'what a peer sent could not be kept', { cause: error });
      this.#settle();
      this.#ports.kept.bell.ring();
    });
  }

  /** Updates what is known of the peer; one that is reachable again is tried at once. */
  update(peer: PeerNode): void {
    const cameBack = peer.reachable && !this.#peer.reachable;
    this.#peer = peer;
    if (cameBack) this.#woken.ring();
  }

  /** The rights that the peer grants may have changed. It may learn of this a little later than we do, so retries begin anew. */
  rightsChanged(): void {
    if (!this.#denied) return;
    this.#deniedRest = this.#ports.tunables.retryMs;
    this.#woken.ring();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
    this.#settle();
  }

  #settle(): void {
    this.#isSettled = true;
    this.#settled.resolve();
  }

  async #run(): Promise<void> {
    const { logger, tunables } = this.#ports;
    const { signal } = this.#stopped;
    let rest = tunables.retryMs;
    while (!signal.aborted) {
      const began = performance.now();
      const ended = await this.#hold();
      if (signal.aborted) return;
      logger.debug({ peer: this.#peer.namespace, why: ended.reason }, 'A peer is not followed now');
      this.#denied = ended.why === 'denied';
      this.#settle();
      const most = this.#peer.reachable ? tunables.maxRetryMs : tunables.maxAwayRetryMs;
      // retry soon after a watch that worked for a while
      rest = performance.now() - began > most ? tunables.retryMs : Math.min(rest * 2, most);
      this.#deniedRest = this.#denied ? Math.min(Math.max(this.#deniedRest * 2, tunables.retryMs), tunables.deniedRetryMs) : 0;
      await this.#woken.wait(signal, this.#denied ? this.#deniedRest : rest);
    }
  }

  /** Follows the peer until that fails, and notes how. Throws only if its rows cannot be kept. */
  async #hold(): Promise<Ended> {
    const { kept, now } = this.#ports;
    const { signal } = this.#stopped;
    const release = await kept.leases.take(this.key, signal, true);
    if (release === undefined) return { why: 'failed', reason: 'it is no longer followed' };
    try {
      const ended: Ended = this.#peer.reachable ? await this.#follow() : { why: 'failed', reason: whyAbsent(this.#peer) };
      if (!signal.aborted) await (ended.why === 'denied' ? kept.drop(this.key) : kept.setAway(this.#peer, toTimestamp(now())));
      return ended;
    } finally {
      release();
    }
  }

  async #follow(): Promise<Ended> {
    const { kept } = this.#ports;
    for (let attempt = 0; ; attempt += 1) {
      const position = kept.parts().get(this.key)?.position;
      if (position === undefined) {
        const failed = await this.#compare();
        if (failed !== undefined) return failed;
      }
      const ended = await this.#listen(kept.parts().get(this.key)?.position ?? '');
      if (ended !== 'gone') return ended;
      if (attempt > 0) return { why: 'failed', reason: 'it keeps no changes to continue from' };
      await kept.setPosition(this.#peer, undefined);
    }
  }

  /** Lists all rows of the peer and stores the differences. */
  async #compare(): Promise<Ended | undefined> {
    const { peers, kept, user, kind } = this.#ports;
    let next = '';
    let after = '';
    let limit = PAGE_ROWS;
    let whole: { version: string; drops: number } | undefined;
    for (;;) {
      const bounds = { timeoutMs: ANSWER_MS, maxBytes: PAGE_BYTES, signal: this.#stopped.signal };
      const page = await peerPage(peers, this.#peer, { user, kind, limit, continue: next, after }, bounds);
      if (page.outcome !== 'page') return { why: page.outcome, reason: page.reason };
      if (page.cut) {
        // ask for as many rows as arrived, so that the page ends there; for fewer, if that is still too large
        limit = page.rows.length < limit ? page.rows.length : Math.floor(limit / 2);
        if (limit === 0) return { why: 'failed', reason: 'it sent a page that cannot be read' };
        continue;
      }
      whole ??= { version: page.resourceVersion, drops: kept.drops(this.key) };
      const last = page.rows.at(-1)?.name ?? after;
      const done = page.continue === '';
      await kept.replace(this.#peer, { after, upTo: done ? undefined : last }, page.rows, done ? whole : undefined);
      if (done) return undefined;
      next = page.continue;
      after = last;
    }
  }

  /** Takes in the peer's changes after a version. */
  async #listen(position: string): Promise<Ended | 'gone'> {
    const { peers, kept, user, kind } = this.#ports;
    const { signal } = this.#stopped;
    const time = deadline(ANSWER_MS, signal);
    let parts: AsyncIterator<Uint8Array> | undefined;
    try {
      const path = peerPath(kind, { watch: true, resourceVersion: position, allowWatchBookmarks: true });
      const asked = { user, method: 'GET', path, accept: 'application/json', timeoutMs: ANSWER_MS, endless: true, signal } as const;
      const response: PeerResponse = await time.race(peers.request(this.#peer, asked));
      const body = response.body[Symbol.asyncIterator]();
      parts = body;
      if (response.status === 410) return 'gone';
      if (response.status !== 200) {
        const { outcome, reason } = await refusal(response, () => time.race(body.next()));
        return { why: outcome, reason };
      }
    } catch (error) {
      void parts?.return?.()?.catch(() => undefined);
      return { why: 'failed', reason: reasonOf(error) };
    } finally {
      time.end();
    }
    const cutter = new LineCutter(MAX_ROW_BYTES + EVENT_BYTES);
    const rules: RowRules = { kind, peer: this.#peer };
    const streamed = kept.leases.streaming(this.key, Number(position));
    try {
      await kept.setPresent(this.#peer);
      this.#denied = false;
      this.#settle();
      for (;;) {
        const lines = await nextLines(parts, cutter, signal);
        if (typeof lines === 'string') return { why: 'failed', reason: lines };
        for (const line of lines) {
          const ended = await this.#take(line, rules);
          if (ended !== undefined) return ended;
        }
      }
    } finally {
      streamed();
      void parts.return?.()?.catch(() => undefined);
    }
  }

  async #take(line: string, rules: RowRules): Promise<Ended | 'gone' | undefined> {
    const { kept } = this.#ports;
    let event: ReturnType<typeof peerEvent>;
    try {
      event = peerEvent(line, rules);
    } catch (error) {
      return { why: 'failed', reason: reasonOf(error) };
    }
    if (event.type === 'BOOKMARK') {
      await kept.setPosition(this.#peer, event.version);
      kept.leases.saw(this.key, Number(event.version));
    } else if (event.type === 'ERROR') {
      if (event.status === 410) return 'gone';
      const denied = event.status === 401 || event.status === 403;
      return { why: denied ? 'denied' : 'failed', reason: reasonOf(new DtkdError('PEER_AWAY', event.message)) };
    } else {
      const { name, uid, resourceVersion } = event.object.metadata;
      const known = await kept.row(this.key, name);
      const { metadata } = known === undefined ? { metadata: undefined } : objectOf(known);
      if (event.type === 'DELETED') {
        // the deletion of an earlier object of this name must not delete the present one
        if (metadata !== undefined && metadata.uid === uid) await kept.change(this.#peer, name, undefined);
      } else if (metadata === undefined || Number(resourceVersion) >= Number(metadata.resourceVersion)) {
        await kept.change(this.#peer, name, JSON.stringify(event.object));
      }
      kept.leases.saw(this.key, Number(resourceVersion));
    }
    return undefined;
  }
}

/** The lines in the next bytes, or a text that says why there are none. */
async function nextLines(parts: AsyncIterator<Uint8Array>, cutter: LineCutter, signal: AbortSignal): Promise<string[] | string> {
  const stopped = Promise.withResolvers<'stopped'>();
  const stop = () => stopped.resolve('stopped');
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const part = await Promise.race([parts.next(), stopped.promise]);
    if (part === 'stopped') return 'it is no longer followed';
    return part.done === true ? 'its watch ended' : cutter.push(part.value);
  } catch (error) {
    return reasonOf(error);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
