/**
 * Answers requests of members to this node's API (`/dtkd/api`), each on a stream of its own. The connection identifies the asking
 * node, and the node says for which of its users it asks; the API decides what that user may do. Guarantees bounded memory and
 * streams whatever a member sends or does not read. Makes no decisions itself.
 */
import type { Duplex } from 'node:stream';
import { decodeCbor, encodeCbor } from '../../../../protocol/encoding/cbor.ts';
import { encodeFrame } from '../../../../protocol/encoding/frames.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { DomainId, PeerKey } from '../../../../protocol/ids.ts';
import {
  MAX_REMOTE_HEAD_BYTES,
  REMOTE_BODY_CHUNK_BYTES,
  type RemoteRequestHead,
  type RemoteResponseHead,
  remoteRequestHead,
} from '../../../../protocol/peers/remote.ts';
import type { Access } from '../../access/access.types.ts';
import { Turns } from '../../counting/turns.ts';
import type { Logger } from '../../logging/logger.types.ts';
import { FrameReader } from '../../streams/frame-reader.ts';
import { endStream, writeFrames } from '../../streams/frame-writer.ts';

import { GIVEN_UP } from '../flow/linked-signal.ts';
import type { RemoteCall } from '../request/call.types.ts';
import { statusOf } from '../request/status.ts';
import { bodyFrames } from './body-frames.ts';
import * as limits from './limits.ts';
import { warningTexts } from './warnings.ts';

export interface RemoteApiOptions {
  /** The API: `createApi(…).fetch`. */
  fetch: (request: Request, env: { remote: RemoteCall }) => Response | Promise<Response>;
  access: Pick<Access, 'remoteUser'>;
  /** The namespace of a member; undefined if it is not a member, or no longer one. */
  namespaceOf: (domain: DomainId, peer: PeerKey) => string | undefined;
  logger: Logger;
}

export interface RemoteApiServer {
  /** Serves one stream of a member; never throws. */
  serve(stream: Duplex, from: { domain: DomainId; peer: PeerKey }): void;
  /** Ends running requests. */
  close(): void;
  /** Number of requests and watches that are being answered. */
  open(): number;
}

/** Bytes of a body that are written at a time. */
const PART_BYTES = 4 * REMOTE_BODY_CHUNK_BYTES;

type Sort = 'requests' | 'watches';

export function createRemoteApiServer(options: RemoteApiOptions): RemoteApiServer {
  const live = new Set<Duplex>();
  const places: Record<Sort, Turns> = {
    requests: new Turns({ each: limits.MAX_REQUESTS_PER_PEER, all: limits.MAX_REQUESTS, sharing: true, waitingEach: 0 }),
    watches: new Turns({ each: limits.MAX_WATCHES_PER_PEER, all: limits.MAX_WATCHES, sharing: true, waitingEach: 0 }),
  };
  const lists = new Turns({ each: limits.MAX_LISTS_PER_PEER, all: limits.MAX_LISTS, sharing: true });
  let closed = false;

  /** Counts one more; throws if there are too many. */
  function admit(sort: Sort, peer: string): () => void {
    const leave = places[sort].take(peer, () => {});
    if (leave !== undefined) return leave;
    throw new DtkdError('TOO_MANY_REQUESTS', `this node answers too many ${sort} of members already`, { next: 'Try again in a moment.' });
  }

  /** Calls `begin` before the first byte of an answer: after that, a failure can only be reported by cutting the stream. */
  async function answer(stream: Duplex, from: { domain: DomainId; peer: PeerKey }, begin: () => void): Promise<void> {
    const peer = `${from.domain} ${from.peer}`;
    let release = admit('requests', peer);
    let turn: (() => void) | undefined;
    const gone = new AbortController();
    const abort = () => gone.abort(GIVEN_UP);
    stream.once('close', abort);
    try {
      const { head, body } = await readRequest(stream);
      if (isWatch(head.path)) {
        release();
        release = () => {};
        release = admit('watches', peer);
      } else if (isList(head)) {
        turn = await lists.wait(peer, gone.signal);
      }
      const namespace = options.namespaceOf(from.domain, from.peer);
      if (namespace === undefined) throw new DtkdError('NOT_A_MEMBER', 'the asking node is not a member of a domain of this node');
      const principal = options.access.remoteUser({ peerKey: from.peer, namespace }, head.user);
      const response = await options.fetch(requestOf(head, body, gone.signal), { remote: { principal } });
      begin();
      await send(stream, response);
    } finally {
      stream.off('close', abort);
      turn?.();
      release();
    }
  }

  async function serve(stream: Duplex, from: { domain: DomainId; peer: PeerKey }): Promise<void> {
    live.add(stream);
    stream.on('error', () => {});
    stream.once('close', () => live.delete(stream));
    let begun = false;
    try {
      if (closed) throw new DtkdError('UNAVAILABLE', 'the daemon is stopping');
      await answer(stream, from, () => {
        begun = true;
      });
      farewell(stream);
    } catch (error) {
      options.logger.debug({ err: error, peer: from.peer }, 'A request of a member was not answered');
      if (begun) stream.destroy(error instanceof Error ? error : undefined);
      else refuse(stream, error);
    }
  }

  return {
    serve: (stream, from) => void serve(stream, from),
    close() {
      closed = true;
      for (const stream of [...live]) stream.destroy(new DtkdError('UNAVAILABLE', 'the daemon is stopping'));
    },
    open: () => live.size,
  };
}

async function readRequest(stream: Duplex): Promise<{ head: RemoteRequestHead; body: Uint8Array<ArrayBuffer> }> {
  const reader = new FrameReader(stream, Math.max(MAX_REMOTE_HEAD_BYTES, REMOTE_BODY_CHUNK_BYTES));
  const first = await reader.next(limits.HEAD_MS);
  if (first === undefined) throw new DtkdError('FRAME_INVALID', 'the stream ended before a request');
  if (first.length > MAX_REMOTE_HEAD_BYTES) throw new DtkdError('FRAME_TOO_LARGE', 'the head of the request is too large');
  const head = decodeCbor(first, remoteRequestHead, 'the head of a request');
  const until = performance.now() + limits.BODY_MS;
  const body = Buffer.alloc(head.bodyBytes);
  for (let size = 0; size < head.bodyBytes; ) {
    const frame = await reader.next(Math.max(1, until - performance.now()));
    if (frame === undefined || size + frame.length > head.bodyBytes) {
      throw new DtkdError('FRAME_INVALID', 'the body of the request is not as long as its head says');
    }
    body.set(frame, size);
    size += frame.length;
  }
  return { head, body };
}

/** Reads the `watch` parameter as the API reads its flags. */
function isWatch(path: string): boolean {
  const cut = path.indexOf('?');
  const value = cut === -1 ? null : new URLSearchParams(path.slice(cut)).get('watch');
  return value === 'true' || value === '1' || value === '';
}

/** True for a list in the only form that members may request: objects of a kind in this node's namespace. */
function isList({ method, path }: RemoteRequestHead): boolean {
  return method === 'GET' && /^\/(api|apis\/[^/?]+)\/v1\/namespaces\/[^/?]+\/[^/?]+\/?(\?|$)/.test(path);
}

function requestOf({ method, path, accept, contentType }: RemoteRequestHead, body: Uint8Array<ArrayBuffer>, signal: AbortSignal): Request {
  const headers: Record<string, string> = {
    ...(accept === '' ? {} : { accept }),
    ...(contentType === '' ? {} : { 'content-type': contentType }),
    'content-length': String(body.length),
  };
  try {
    return new Request(`https://member.invalid${path}`, {
      method,
      headers,
      signal,
      ...(method === 'GET' || body.length === 0 ? {} : { body }),
    });
  } catch (cause) {
    throw new DtkdError('BAD_REQUEST', 'the path or headers of the request cannot be read', { cause });
  }
}

function headFrame({ status, headers }: Pick<Response, 'status' | 'headers'>): Uint8Array {
  const head: RemoteResponseHead = {
    version: 1,
    status,
    contentType: (headers.get('content-type') ?? '').slice(0, 256),
    warnings: warningTexts(headers.get('warning') ?? ''),
  };
  return encodeFrame(encodeCbor(head));
}

/** Sends an answer as it is made, no faster than it is read; resolves once the transport has taken all of it. */
async function send(stream: Duplex, response: Response): Promise<void> {
  const head = headFrame(response);
  if (response.body === null || response.headers.has('content-length')) {
    const body = new Uint8Array(await response.arrayBuffer());
    // a short body is sent in one write with its head
    let before: Uint8Array[] = [head];
    for (let start = 0; start === 0 || start < body.length; start += PART_BYTES) {
      await writeFrames(stream, [...before, ...bodyFrames(body.subarray(start, start + PART_BYTES))], limits.STALL_MS);
      before = [];
    }
  } else {
    await sendParts(stream, head, response.body);
  }
  await endStream(stream, limits.STALL_MS);
}

async function sendParts(stream: Duplex, head: Uint8Array, body: ReadableStream<Uint8Array>): Promise<void> {
  const reader = body.getReader();
  const cancel = () => void reader.cancel().catch(() => {});
  stream.once('close', cancel);
  try {
    await writeFrames(stream, [head], limits.STALL_MS);
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      await writeFrames(stream, bodyFrames(part.value), limits.STALL_MS);
    }
  } catch (error) {
    cancel();
    throw error;
  } finally {
    stream.off('close', cancel);
  }
}

/** Refuses before the API is asked: with a Status, as the API would answer. */
function refuse(stream: Duplex, error: unknown): void {
  if (stream.destroyed) return;
  const status = statusOf(error, {}, () => {});
  const headers = new Headers({ 'content-type': 'application/json' });
  stream.end(Buffer.concat([headFrame({ status: status.code, headers }), ...bodyFrames(Buffer.from(JSON.stringify(status)))]));
  farewell(stream);
}

/** Gives the other side a moment to take the answer and to end; what it still sends is discarded. */
function farewell(stream: Duplex): void {
  if (stream.destroyed) return;
  const timer = setTimeout(() => stream.destroy(), limits.FAREWELL_MS);
  timer.unref();
  stream.once('close', () => clearTimeout(timer));
  stream.resume();
}
