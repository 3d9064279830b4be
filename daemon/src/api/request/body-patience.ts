/**
 * Limits how long a request body may take to arrive. Node has a single limit for all requests. Here the few uploads may take as
 * long as they make progress, and all other requests as long as the limit says. Owns no server; it watches the requests of the
 * servers that it is given.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Server as TlsServer } from 'node:https';
import { DtkdError } from '../../../../protocol/errors.ts';
import { rawRefusal } from './raw-refusal.ts';

export interface PatienceLimits {
  /** Milliseconds for the body of an ordinary request. */
  bodyMs: number;
  /** An upload has to bring at least `stallBytes` in every `stallMs`. */
  stallBytes: number;
  stallMs: number;
  /** How often this is checked, in milliseconds. */
  sweepMs: number;
}

interface Coming {
  response: ServerResponse;
  since: number;
  bytes: number;
}

const patient = new WeakSet<IncomingMessage>();

/** Lets the body of this request take as long as it makes progress. */
export function allowLong(incoming: IncomingMessage): void {
  patient.add(incoming);
}

const LATE = rawRefusal(new DtkdError('TIMEOUT', 'the body of the request did not arrive in time'), 408);

/** Ends requests whose bodies do not arrive in time. Call it before the server listens. */
export function limitBodies(server: Server | TlsServer, { bodyMs, stallBytes, stallMs, sweepMs }: PatienceLimits): void {
  const coming = new Map<IncomingMessage, Coming>();
  let fresh: [IncomingMessage, ServerResponse][] = [];
  let timer: NodeJS.Timeout | undefined;
  // Most bodies arrive with their heads and need no watching.
  const takeUp = () => {
    const now = performance.now();
    for (const [incoming, response] of fresh) {
      if (!isOver(incoming)) coming.set(incoming, { response, since: now, bytes: incoming.socket.bytesRead });
    }
    fresh = [];
    // Do not wake an idle daemon for nothing.
    if (coming.size > 0) timer ??= setInterval(look, sweepMs).unref();
  };
  const look = () => {
    const now = performance.now();
    for (const [incoming, state] of coming) {
      const { bytesRead } = incoming.socket;
      const isPatient = patient.has(incoming);
      if (isOver(incoming)) coming.delete(incoming);
      // If our own reader is slow and data waits for it, that is not the client's fault.
      else if (isPatient && (bytesRead - state.bytes >= stallBytes || incoming.readableLength > 0))
        Object.assign(state, { since: now, bytes: bytesRead });
      else if (now - state.since > (isPatient ? stallMs : bodyMs)) {
        coming.delete(incoming);
        giveUp(incoming, state.response);
      }
    }
    if (coming.size === 0) rest();
  };
  const rest = () => {
    clearInterval(timer);
    timer = undefined;
  };
  server.prependListener('request', (incoming: IncomingMessage, response: ServerResponse) => {
    const { headers } = incoming;
    if (headers['transfer-encoding'] === undefined && (headers['content-length'] ?? '0') === '0') return;
    if (fresh.length === 0) setImmediate(takeUp);
    fresh.push([incoming, response]);
  });
  server.once('close', rest);
}

function isOver(incoming: IncomingMessage): boolean {
  return incoming.complete || incoming.destroyed;
}

function giveUp({ socket }: IncomingMessage, { headersSent }: ServerResponse): void {
  if (socket.writable && !headersSent) socket.write(LATE);
  socket.destroySoon();
}
