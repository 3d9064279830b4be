/**
 * Keeps what other nodes show one user of one kind current while somebody follows it. Runs one remote watch for each peer that any follower
 * covers, however many followers there are. Peers come and go with the membership; rows of a peer that is no longer a member are deleted.
 */
import { goneFrom, goneParts } from '../cache/gone.ts';
import type { KeptView } from '../cache/kept-view.ts';
import type { Standing } from '../federation.types.ts';
import type { PeerNode } from '../peer-api.types.ts';
import { RemoteWatch, type RemoteWatchPorts } from './remote-watch.ts';

export interface FeedPorts extends RemoteWatchPorts {
  standing: (domain: PeerNode['domain'], key: PeerNode['key']) => Standing;
}

export type Covers = (namespace: string) => boolean;

export class Feed {
  readonly kept: KeptView;
  readonly #ports: FeedPorts;
  readonly #watches = new Map<string, RemoteWatch>();
  readonly #followers = new Set<Covers>();
  readonly #unsubscribe: () => void;
  #tidying: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(ports: FeedPorts) {
    this.#ports = ports;
    this.kept = ports.kept;
    this.#unsubscribe = ports.peers.onChange(() => void this.#tidy());
  }

  get followers(): number {
    return this.#followers.size;
  }

  /** Adds a follower of these nodes; resolves when a watch of each has been started. Returns a function that removes the follower. */
  async join(covers: Covers): Promise<() => void> {
    this.#followers.add(covers);
    await this.#tidy();
    return () => this.#followers.delete(covers);
  }

  /** Resolves when each of these nodes has answered or failed, or after the timeout. */
  async settled(covers: Covers, timeoutMs: number): Promise<void> {
    const waiting = [...this.#watches.values()].filter((watch) => covers(watch.namespace) && !watch.isSettled);
    if (waiting.length === 0) return;
    const over = Promise.withResolvers<void>();
    const timer = setTimeout(over.resolve, timeoutMs);
    await Promise.race([Promise.all(waiting.map((watch) => watch.settled)), over.promise]);
    clearTimeout(timer);
  }

  /** Throws the error that makes following impossible, if there is one. */
  assertWorks(): void {
    for (const { failure } of this.#watches.values()) if (failure !== undefined) throw failure;
  }

  rightsChanged(namespace: string | undefined): void {
    for (const watch of this.#watches.values()) if (namespace === undefined || watch.namespace === namespace) watch.rightsChanged();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#unsubscribe();
    await Promise.all([...this.#watches.values()].map((watch) => watch.stop()));
    await this.#tidying;
  }

  /** Matches the watches to the peers once more, after a run in progress. */
  #tidy(): Promise<void> {
    this.#tidying = this.#tidying
      .then(() => this.#match())
      .catch((error: unknown) => {
        this.#ports.logger.warn({ err: error }, 'Old answers of other nodes could not be removed');
      });
    return this.#tidying;
  }

  async #match(): Promise<void> {
    if (this.#closed) return;
    const { peers, standing } = this.#ports;
    const present = peers.peers();
    const isGone = goneFrom(present, standing);
    // stop those of which nothing is kept, too: they would go on asking, and rows would come back
    for (const [key, watch] of this.#watches) {
      if (!isGone(watch.peer)) continue;
      await watch.stop();
      this.#watches.delete(key);
    }
    for (const { peer } of goneParts(this.kept, isGone)) await this.kept.drop(peer);
    for (const peer of present) {
      const watch = this.#watches.get(peer.key);
      if (watch !== undefined) watch.update(peer);
      else if (!this.#closed && [...this.#followers].some((covers) => covers(peer.namespace))) this.#start(peer);
    }
  }

  #start(peer: PeerNode): void {
    const watch = new RemoteWatch(peer, this.#ports);
    this.#watches.set(peer.key, watch);
    watch.start();
  }
}
