/**
 * Keeps what others show to one user of one kind right for as long as somebody follows it: one remote watch for each peer that any of the
 * followers is about, however many they are. Peers come and go with the membership; rows of one that is a member no more are deleted.
 */
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

  /** Adds somebody who wants to know of these nodes; resolves when each of them is being asked. Returns what takes it back. */
  async join(covers: Covers): Promise<() => void> {
    this.#followers.add(covers);
    await this.#tidy();
    return () => this.#followers.delete(covers);
  }

  /** Resolves when it is known of each of these nodes how it stands, or after the time. */
  async settled(covers: Covers, timeoutMs: number): Promise<void> {
    const waiting = [...this.#watches.values()].filter((watch) => covers(watch.namespace) && !watch.isSettled);
    if (waiting.length === 0) return;
    const over = Promise.withResolvers<void>();
    const timer = setTimeout(over.resolve, timeoutMs);
    await Promise.race([Promise.all(waiting.map((watch) => watch.settled)), over.promise]);
    clearTimeout(timer);
  }

  /** Throws what makes following impossible. */
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

  /** Once more if it is asked for meanwhile. */
  #tidy(): Promise<void> {
    this.#tidying = this.#tidying
      .then(() => this.#match())
      .catch((error: unknown) => {
        this.#ports.logger.warn({ err: error }, 'What is kept of other nodes could not be tidied');
      });
    return this.#tidying;
  }

  async #match(): Promise<void> {
    if (this.#closed) return;
    const present = new Map(this.#ports.peers.peers().map((peer) => [String(peer.key), peer]));
    await dropGone(this.kept, present, this.#ports.standing, async (key) => {
      await this.#watches.get(key)?.stop();
      this.#watches.delete(key);
    });
    for (const peer of present.values()) {
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

/** Deletes what is kept of peers that are members no more, or that show under another name now. */
export async function dropGone(
  kept: KeptView,
  present: ReadonlyMap<string, PeerNode>,
  standing: FeedPorts['standing'],
  before: (key: string) => Promise<void> = async () => {},
): Promise<void> {
  for (const [key, part] of kept.parts()) {
    const peer = present.get(key);
    const isGone = peer === undefined ? standing(part.domain, part.peer) === 'gone' : peer.namespace !== part.namespace;
    if (!isGone) continue;
    await before(key);
    await kept.drop(key);
  }
}
