import type { Channel } from '../channel/channel.ts';
import { HTTP_LIMITS } from './limits.ts';
import { OriginConnection } from './origin-connection.ts';

/** Keep-alive connections to one origin: the most recently used first, so that surplus ones grow old and are closed. */
export class OriginPool {
  private readonly connect: (signal: AbortSignal) => Promise<Channel>;
  private readonly now: () => number;
  private readonly idle: OriginConnection[] = [];
  private readonly open = new Set<OriginConnection>();
  private retired = false;
  private readonly stopped = new AbortController();

  constructor(connect: (signal: AbortSignal) => Promise<Channel>, now: () => number) {
    this.connect = connect;
    this.now = now;
  }

  get size(): number {
    return this.open.size;
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
    const channel = await this.connect(this.stopped.signal);
    const connection = new OriginConnection(
      channel,
      (done, reusable) => this.giveBack(done, reusable),
      (gone) => this.forget(gone),
    );
    this.open.add(connection);
    if (this.stopped.signal.aborted) channel.abort();
    return connection;
  }

  /** Keeps a connection that has no request under way. */
  giveBack(connection: OriginConnection, reusable = true): void {
    if (!reusable || this.retired || this.idle.length >= HTTP_LIMITS.originIdle) {
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
    for (const connection of this.open) if (connection.retired && connection.idleSince < limit) connection.channel.abort();
    while (this.idle[0] !== undefined && this.idle[0].idleSince < limit) this.idle.shift()?.retire(this.now());
  }

  /** Takes no connection back: idle ones close now, busy ones after their response. */
  retire(): void {
    this.retired = true;
    while (this.idle.length > 0) this.idle.pop()?.retire(this.now());
  }

  /** Closes every connection, busy ones too. */
  close(): void {
    this.retired = true;
    this.stopped.abort();
    for (const connection of [...this.open]) connection.channel.abort();
  }
}
