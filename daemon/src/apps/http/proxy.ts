import { networkOf, whoGivesWay } from '../../counting/crowd.ts';
import type { Channel } from '../channel/channel.ts';
import type { ClientFacts } from './fields.ts';
import type { RequestHead } from './head.ts';
import { HTTP_LIMITS } from './limits.ts';
import { ProxyConnection, type Route } from './proxy-connection.ts';
import { type Refusal, refusalBytes } from './refusal.ts';

/** The HTTP/1.1 reverse proxy: all client connections, their time limits and their number. What is routed where is the caller's. */
export class HttpProxy {
  /** The oldest first, with the network of its client. */
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
   * `onSweep` is called about once a second, for the pools behind the routes, while there are connections of clients, and for as long after as it says
   * that they hold some to origins. `most`: connections of clients at once, if that is less than HTTP_LIMITS says.
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

  /** Answers so far, by the first digit of their status: of the origins, and of the proxy itself where it refused. */
  get answered(): readonly number[] {
    return this.answers;
  }

  /** Serves one client connection until it closes; `onClosed` is called then. */
  serve(channel: Channel, client: ClientFacts, router: (head: RequestHead) => Route | Refusal, onClosed?: () => void): void {
    // a member's users are known to it alone
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

  /** Where there are too many, one gives way that has no request under way, or is of who holds most. */
  private makeRoom(network: string): boolean {
    if (this.connections.size < Math.min(this.most, HTTP_LIMITS.connections)) return true;
    const all = [...this.connections].map(([member, from]) => ({ member, network: from, waits: member.waits }));
    const victim = whoGivesWay(all, network);
    victim?.giveWay();
    return victim !== undefined;
  }

  /** Takes no more requests: idle connections close now, busy ones after their response. */
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
    // A proxy that nobody uses would wake the daemon for nothing.
    clearInterval(this.sweeper);
    this.sweeper = undefined;
  }
}
