/**
 * Limits how long a client may leave an answer unread. Unread data is kept, mostly in TLS, and occupies a share of the running
 * requests. An answer that has nothing to send yet is not the client's fault. Owns no server.
 */
import type { Server, ServerResponse } from 'node:http';
import type { Server as TlsServer } from 'node:https';
import type { Socket } from 'node:net';

/**
 * Bytes that a client has to read within each `stallMs`. Node does not report progress within one write, so a large write gets
 * proportionally longer.
 */
const BYTES = 256 * 1024;

export interface ReaderLimits {
  /** Milliseconds for 256 KiB, or for all unread data if that is less. */
  stallMs: number;
  /** How often this is checked, in milliseconds. */
  sweepMs: number;
}

const resting = new WeakSet<ServerResponse>();

/** Lets the client of this answer pause for as long as it likes, or as long as the maker of the answer allows. */
export function allowRest(outgoing: ServerResponse | undefined): void {
  if (outgoing !== undefined) resting.add(outgoing);
}

/** Closes connections whose clients do not read on; `answers` lists the answers in progress. Call it before the server listens. */
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
    // do not wake an idle daemon for nothing
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
