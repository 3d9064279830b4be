import type { Channel } from '../channel/channel.ts';
import { HTTP_LIMITS } from './limits.ts';
import { OriginConnection } from './origin-connection.ts';

/** Keep-alive connections to one origin. The most recently used one is taken first, so that surplus ones age and are closed. */
export class OriginPool {
  private readonly connect: (signal: AbortSignal) => Promise<Channel>;
  private readonly now: () => number;
  private readonly idle: OriginConnection[] = [];
  /** Open connections, each with the generation in which it was requested. */
  private readonly open = new Map<OriginConnection, number>();
  private dialling = 0;
  /** Counts how often the origin behind the pool has changed. */
  private generation = 0;
  private retired = false;
  private readonly stopped = new AbortController();

  constructor(connect: (signal: AbortSignal) => Promise<Channel>, now: () => number) {
    this.connect = connect;
    this.now = now;
  }

  /** The number of connections, including those being opened. */
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

  /** Retires connections that have been idle for too long, and aborts retired ones that do not close. */
  sweep(): void {
    const limit = this.now() - HTTP_LIMITS.originIdleMs;
    for (const connection of this.open.keys()) if (connection.retired && connection.idleSince < limit) connection.channel.abort();
    while (this.idle[0] !== undefined && this.idle[0].idleSince < limit) this.idle.shift()?.retire(this.now());
  }

  /** Keeps no connection any longer: idle ones close now, busy ones after their response. */
  retire(): void {
    this.retired = true;
    this.renew();
  }

  /** To be called when the origin behind the pool has changed. New requests get new connections; existing ones close as with `retire`. */
  renew(): void {
    this.generation += 1;
    while (this.idle.length > 0) this.idle.pop()?.retire(this.now());
  }

  /** Closes every connection, including busy ones. */
  close(): void {
    this.retired = true;
    this.stopped.abort();
    for (const connection of [...this.open.keys()]) connection.channel.abort();
  }
}
