/**
 * How long a client may leave lying what is there for it. That is kept, mostly in TLS, and holds its share of what may be under way; an answer that has
 * nothing to say yet is no fault of the client's. Owns no server.
 */
import type { Server, ServerResponse } from 'node:http';
import type { Server as TlsServer } from 'node:https';
import type { Socket } from 'node:net';

/** What a client has to take in each of its times. Of a write nobody sees how much of it has gone, so a long one has so many times. */
const BYTES = 256 * 1024;

export interface ReaderLimits {
  /** Milliseconds for 256 KiB, or for all that waits if that is less. */
  stallMs: number;
  /** How often that is looked at. */
  sweepMs: number;
}

const resting = new WeakSet<ServerResponse>();

/** Lets the client of this answer rest as long as it likes, or as whoever makes it says. */
export function allowRest(outgoing: ServerResponse | undefined): void {
  if (outgoing !== undefined) resting.add(outgoing);
}

/** Cuts connections of a server whose clients do not read on; `answers`: what is being answered. To be called before it listens. */
export function limitReaders(
  server: Server | TlsServer,
  answers: () => Iterable<readonly [Socket, ServerResponse]>,
  { stallMs, sweepMs }: ReaderLimits,
): void {
  const waiting = new WeakMap<Socket, { since: number; taken: number }>();
  let timer: NodeJS.Timeout | undefined;
  const look = () => {
    const now = performance.now();
    let looked = 0;
    for (const [socket, outgoing] of answers()) {
      if (resting.has(outgoing)) continue;
      looked += 1;
      const { writableLength } = socket;
      const taken = socket.bytesWritten - writableLength;
      const known = waiting.get(socket);
      if (writableLength === 0 || known?.taken !== taken) waiting.set(socket, { since: now, taken });
      else if (now - known.since > stallMs * Math.ceil(writableLength / BYTES)) socket.destroy();
    }
    // a timer of a server at rest would wake the daemon for nothing
    if (looked === 0) rest();
  };
  const rest = () => {
    clearInterval(timer);
    timer = undefined;
  };
  server.prependListener('request', () => {
    timer ??= setInterval(look, sweepMs).unref();
  });
  server.once('close', rest);
}
