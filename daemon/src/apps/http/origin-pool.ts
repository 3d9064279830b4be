import type { Channel } from '../channel/channel.ts';
import { HTTP_LIMITS } from './limits.ts';
import { OriginConnection } from './origin-connection.ts';

/** Keep-alive connections to one origin: the most recently used first, so that surplus ones grow old and are closed. */
export class OriginPool {
  private readonly connect: (signal: AbortSignal) => Promise<Channel>;
  private readonly now: () => number;
  private readonly idle: OriginConnection[] = [];
  /** With the generation in which each was asked for. */
  private readonly open = new Map<OriginConnection, number>();
  private dialling = 0;
  /** Counts how often what is behind the pool has changed. */
  private generation = 0;
  private retired = false;
  private readonly stopped = new AbortController();

  constructor(connect: (signal: AbortSignal) => Promise<Channel>, now: () => number) {
    this.connect = connect;
    this.now = now;
  }

  /** Connections, and those that are being opened. */
  get size(): number {
    return this.open.size + this.dialling;
  }

  /** An idle connection, if there is one. */
  take(): OriginConnection | undefined {
    for (;;) {
      const connection = this.idle.pop();
      if (connection === undefined) return undefined;
      if (!connection.closed) return connection;
    }
  }

  /** Opens a new connection. */
  async dial(): Promise<OriginConnection> {
    const { generation } = this;
    this.dialling += 1;
    try {
      const channel = await this.connect(this.stopped.signal);
      const connection = new OriginConnection(
        channel,
        (done, reusable) => this.giveBack(done, reusable),
        (gone) => this.forget(gone),
      );
      this.open.set(connection, generation);
      if (this.stopped.signal.aborted) channel.abort();
      return connection;
    } finally {
      this.dialling -= 1;
    }
  }

  /** Keeps a connection that has no request under way. */
  giveBack(connection: OriginConnection, reusable = true): void {
    if (!reusable || this.retired || this.open.get(connection) !== this.generation || this.idle.length >= HTTP_LIMITS.originIdle) {
      connection.retire(this.now());
      return;
    }
    connection.idleSince = this.now();
    this.idle.push(connection);
  }

  private forget(connection: OriginConnection): void {
    this.open.delete(connection);
    const at = this.idle.indexOf(connection);
    if (at >= 0) this.idle.splice(at, 1);
  }

  /** Closes what has been idle for too long, and cuts off what does not close. */
  sweep(): void {
    const limit = this.now() - HTTP_LIMITS.originIdleMs;
    for (const connection of this.open.keys()) if (connection.retired && connection.idleSince < limit) connection.channel.abort();
    while (this.idle[0] !== undefined && this.idle[0].idleSince < limit) this.idle.shift()?.retire(this.now());
  }

  /** Takes no connection back: idle ones close now, busy ones after their response. */
  retire(): void {
    this.retired = true;
    this.renew();
  }

  /** What is behind it has changed: new requests get new connections; the others close as if it were retired. */
  renew(): void {
    this.generation += 1;
    while (this.idle.length > 0) this.idle.pop()?.retire(this.now());
  }

  /** Closes every connection, busy ones too. */
  close(): void {
    this.retired = true;
    this.stopped.abort();
    for (const connection of [...this.open.keys()]) connection.channel.abort();
  }
}
