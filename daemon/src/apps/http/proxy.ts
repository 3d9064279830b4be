import { networkOf, whoGivesWay } from '../../counting/crowd.ts';
import type { Channel } from '../channel/channel.ts';
import type { ClientFacts } from './fields.ts';
import type { RequestHead } from './head.ts';
import { HTTP_LIMITS } from './limits.ts';
import { ProxyConnection, type Route } from './proxy-connection.ts';
import { type Refusal, refusalBytes } from './refusal.ts';

/** The HTTP/1.1 reverse proxy: owns all client connections, their time limits and their number. The caller decides what is routed where. */
export class HttpProxy {
  /** Connections, oldest first, each with its client's network. */
  private readonly connections = new Map<ProxyConnection, string>();
  private readonly now: () => number;
  private readonly onSweep: () => boolean;
  private readonly most: number;
  private sweeper: NodeJS.Timeout | undefined;
  private stopped = false;
  private refused = 0;
  /** Answers by the first digit of their status. */
  private readonly answers = [0, 0, 0, 0, 0, 0];

  /**
   * `onSweep` sweeps the pools behind the routes. It is called about once a second while there are client connections, and afterwards for
   * as long as it reports that connections to origins are left. `most` limits client connections further than HTTP_LIMITS.
   */
  constructor(now: () => number, onSweep: () => boolean, most = Number.POSITIVE_INFINITY) {
    this.now = now;
    this.onSweep = onSweep;
    this.most = most;
  }

  get size(): number {
    return this.connections.size;
  }

  get refusedConnections(): number {
    return this.refused;
  }

  /** Responses so far by the first digit of their status, both from origins and from the proxy itself where it refused. */
  get answered(): readonly number[] {
    return this.answers;
  }

  /** Serves one client connection until it closes; `onClosed` is called then. */
  serve(channel: Channel, client: ClientFacts, router: (head: RequestHead) => Route | Refusal, onClosed?: () => void): void {
    // only the member knows its users, so all of them count as one network
    const network = client.node ?? networkOf(client.address);
    if (this.stopped || !this.makeRoom(network)) {
      this.refused += 1;
      const message = 'there are too many connections';
      channel.write(refusalBytes({ status: 503, code: 'UNAVAILABLE', message }, { head: false, accept: undefined }, true));
      channel.end();
      channel.discard();
      onClosed?.();
      return;
    }
    const connection = new ProxyConnection(channel, client, {
      router,
      now: this.now,
      stopping: () => this.stopped,
      onAnswer: (status) => {
        const first = Math.floor(status / 100);
        this.answers[first] = (this.answers[first] ?? 0) + 1;
      },
      onClosed: (closed) => {
        this.connections.delete(closed);
        onClosed?.();
      },
    });
    this.connections.set(connection, network);
    this.sweeper ??= setInterval(() => this.sweep(), HTTP_LIMITS.sweepMs).unref();
  }

  /**
   * If there are too many connections, closes one: the oldest without a request under way, of the network that holds most of those;
   * otherwise the oldest of the network that holds most of all, if that holds more than the newcomer's. Returns false if none gives way.
   */
  private makeRoom(network: string): boolean {
    if (this.connections.size < Math.min(this.most, HTTP_LIMITS.connections)) return true;
    const all = [...this.connections].map(([member, from]) => ({ member, network: from, waits: member.waits }));
    const victim = whoGivesWay(all, network);
    victim?.giveWay();
    return victim !== undefined;
  }

  /** Accepts no more requests: idle connections close now, busy ones after their response. */
  drain(): void {
    this.stopped = true;
    for (const connection of this.connections.keys()) connection.close();
  }

  /** Cuts everything. */
  stop(): void {
    this.drain();
    clearInterval(this.sweeper);
    for (const connection of this.connections.keys()) connection.abort();
  }

  private sweep(): void {
    const time = this.now();
    for (const connection of this.connections.keys()) connection.sweep(time);
    if (this.onSweep() || this.connections.size > 0) return;
    // An unused proxy must not wake the daemon for nothing.
    clearInterval(this.sweeper);
    this.sweeper = undefined;
  }
}
