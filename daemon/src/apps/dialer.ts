import { connect, type Socket } from 'node:net';
import { DtkdError } from '../../../protocol/errors.ts';
import type { HostPort } from './ports.ts';

/** How long one endpoint may take to accept before the next one is tried. Even a busy LAN host needs only a fraction of it. */
const CONNECT_MS = 2_000;
/** How long an endpoint that failed is tried last. */
const REMEMBER_MS = 5_000;
const MAX_REMEMBERED = 1_024;

/** Dials the endpoints of an app in order, falling back to the next one on failure. Endpoints that failed recently come last. */
export class Dialer {
  private readonly failed = new Map<string, number>();
  private readonly now: () => number;
  private failures = 0;

  constructor(now: () => number) {
    this.now = now;
  }

  get failureCount(): number {
    return this.failures;
  }

  /** Errors: UNAVAILABLE, after every target failed. */
  async dial(targets: readonly HostPort[], signal?: AbortSignal): Promise<Socket> {
    for (const target of this.order(targets)) {
      try {
        const socket = await dialOne(target, signal);
        this.failed.delete(keyOf(target));
        return socket;
      } catch {
        signal?.throwIfAborted();
        this.remember(target);
      }
    }
    throw new DtkdError('UNAVAILABLE', 'none of the endpoints of the app answers', {
      next: 'Its owner can see with "dtkd get endpoints" where the service is expected to listen.',
    });
  }

  private order(targets: readonly HostPort[]): HostPort[] {
    const limit = this.now() - REMEMBER_MS;
    const isBad = (target: HostPort) => (this.failed.get(keyOf(target)) ?? 0) > limit;
    return [...targets.filter((target) => !isBad(target)), ...targets.filter(isBad)];
  }

  private remember(target: HostPort): void {
    this.failures += 1;
    if (this.failed.size >= MAX_REMEMBERED) this.failed.clear();
    this.failed.set(keyOf(target), this.now());
  }
}

function keyOf(target: HostPort): string {
  return `${target.host} ${target.port}`;
}

function dialOne(target: HostPort, signal: AbortSignal | undefined): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: target.host, port: target.port, allowHalfOpen: true, noDelay: true, keepAlive: true });
    const give = (error: Error) => {
      socket.destroy();
      done();
      reject(error);
    };
    const onAbort = () => give(new Error('aborted'));
    const timer = setTimeout(() => give(new Error('timed out')), CONNECT_MS);
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.off('error', give);
    };
    socket.on('error', give);
    socket.once('connect', () => {
      done();
      resolve(socket);
    });
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
  });
}
