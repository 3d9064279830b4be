/**
 * Sends requests to other members' APIs (`/dtkd/api`), each on a stream of its own, as one of this node's users. Guarantees bounded
 * memory whatever a peer sends: frames are read only as the answer is consumed, the sizes of heads and frames are limited, and a
 * peer that sends nothing, or next to nothing, is given up in time. Does not look into bodies.
 */
import type { Duplex } from 'node:stream';
import { decodeCbor, encodeCbor } from '../../../../protocol/encoding/cbor.ts';
import { encodeFrame } from '../../../../protocol/encoding/frames.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { DomainId, PeerKey } from '../../../../protocol/ids.ts';
import {
  MAX_REMOTE_HEAD_BYTES,
  MAX_REMOTE_REQUEST_BYTES,
  REMOTE_API_PROTOCOL,
  REMOTE_BODY_CHUNK_BYTES,
  type RemoteRequestHead,
  remoteRequestHead,
  remoteResponseHead,
} from '../../../../protocol/peers/remote.ts';
import { SELF } from '../../../../protocol/rights/principal.ts';
import type { PeerApi, PeerNode, PeerRequest, PeerResponse } from '../../catalog/federation/peer-api.types.ts';
import { Turns } from '../../counting/turns.ts';
import { FrameReader } from '../../streams/frame-reader.ts';
import { AskedCounts, type AskedFigures, outcomeOfCode, outcomeOfStatus } from './asked-counts.ts';
import { bodyFrames } from './body-frames.ts';
import { MAX_ASKED_PER_PEER, MAX_WAITING_PER_PEER, MAX_WATCHES_PER_PEER, TRICKLE_BYTES, UNREAD_MS } from './limits.ts';
import type { PeerTable } from './peer-table.ts';

export interface PeerApiOptions {
  peers: PeerTable;
  mesh: {
    openStream(domain: DomainId, peer: PeerKey, protocol: string, signal?: AbortSignal): Promise<Duplex>;
    want(domain: DomainId, peer: PeerKey): void;
  };
}

/** Also tells how requests to present members went so far. */
export type CountedPeerApi = PeerApi & { figures(): AskedFigures[] };

export function createPeerApi({ peers, mesh }: PeerApiOptions): CountedPeerApi {
  const asked = new AskedCounts();
  const requests = new Turns({ each: MAX_ASKED_PER_PEER, waitingEach: MAX_WAITING_PER_PEER });
  const watches = new Turns({ each: MAX_WATCHES_PER_PEER, waitingEach: MAX_WAITING_PER_PEER });

  /** Requests and watches have separate turns, since watches keep theirs. */
  async function turn({ domain, key }: PeerNode, endless: boolean, signal: AbortSignal): Promise<() => void> {
    const end = await (endless ? watches : requests).wait(`${domain} ${key}`, signal);
    if (end !== undefined) return end;
    throw new DtkdError('TOO_MANY_REQUESTS', 'too many requests wait for the same node', { next: 'Try again in a moment.' });
  }

  return {
    peers: () => peers.list(),
    peerNamed: (namespace) => peers.named(namespace),
    onChange: (listener) => peers.onChange(listener),
    figures: () => asked.of(peers.list().map(({ namespace }) => namespace)),
    async request(peer, request) {
      const message = requestBytes(request);
      const asking = new Asking(peer, request);
      const began = performance.now();
      try {
        asking.onEnd(await turn(peer, request.endless === true, asking.signal));
        const opening = mesh.openStream(peer.domain, peer.key, REMOTE_API_PROTOCOL, asking.signal);
        const answer = await asking.answer(opening, message);
        asked.add(peer.namespace, outcomeOfStatus(answer.status), performance.now() - began);
        return answer;
      } catch (error) {
        const told = asking.told(error);
        asking.end();
        asked.add(peer.namespace, outcomeOfCode(told.code));
        if (told.code === 'PEER_AWAY') mesh.want(peer.domain, peer.key);
        throw told;
      }
    },
  };
}

/** Head and body in wire format. */
function requestBytes({ user, method, path, accept, contentType = '', body }: PeerRequest): Uint8Array {
  if (user.home !== SELF) throw new DtkdError('FORBIDDEN', 'only users of this node can be vouched for');
  const bytes = body ?? new Uint8Array();
  if (bytes.length > MAX_REMOTE_REQUEST_BYTES) {
    throw new DtkdError('TOO_LARGE', `the body is larger than ${MAX_REMOTE_REQUEST_BYTES} bytes`);
  }
  const head: RemoteRequestHead = {
    version: 1,
    user: { name: user.name, uid: user.uid },
    method,
    path,
    accept,
    contentType,
    bodyBytes: bytes.length,
  };
  const parsed = remoteRequestHead.safeParse(head);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new DtkdError(
      'BAD_REQUEST',
      `the request cannot be sent to another node: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`,
    );
  }
  return Buffer.concat([encodeFrame(encodeCbor(head)), ...bodyFrames(bytes)]);
}

/** One running request: its timeout, its stream, and what has to be released when it ends. */
class Asking {
  readonly #peer: PeerNode;
  readonly #request: PeerRequest;
  readonly #gone = new AbortController();
  readonly #abort: () => void;
  readonly #ends: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #stream: Duplex | undefined;
  #ended = false;
  /** Why the body broke off. */
  #failure: DtkdError | undefined;

  constructor(peer: PeerNode, request: PeerRequest) {
    this.#peer = peer;
    this.#request = request;
    const { signal, timeoutMs } = request;
    this.#abort = () => this.#fail(new DtkdError('UNAVAILABLE', 'the request was given up'));
    if (signal.aborted) this.#abort();
    else signal.addEventListener('abort', this.#abort, { once: true });
    this.#timer = setTimeout(() => this.#fail(this.#late(timeoutMs)), timeoutMs);
  }

  /** Aborts when the request is given up or times out. */
  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  onEnd(release: () => void): void {
    if (this.#ended) release();
    else this.#ends.push(release);
  }

  async answer(opening: Promise<Duplex>, message: Uint8Array): Promise<PeerResponse> {
    const stream = await this.#opened(opening);
    stream.end(message);
    const reader = new FrameReader(stream, Math.max(MAX_REMOTE_HEAD_BYTES, REMOTE_BODY_CHUNK_BYTES));
    const frame = await reader.next();
    if (frame === undefined) throw new DtkdError('FRAME_INVALID', 'it ended without an answer');
    if (frame.length > MAX_REMOTE_HEAD_BYTES) throw new DtkdError('FRAME_TOO_LARGE', 'the head of its answer is too large');
    const { status, contentType, warnings } = decodeCbor(frame, remoteResponseHead, 'the head of an answer');
    clearTimeout(this.#timer);
    return { status, contentType, warnings, body: this.#body(reader) };
  }

  /** The error as the caller gets it: it names the node. */
  told(error: unknown): DtkdError {
    const reason: unknown = this.#gone.signal.aborted ? this.#gone.signal.reason : error;
    const { namespace } = this.#peer;
    if (!(reason instanceof DtkdError)) return this.#away(reason);
    if (reason.code === 'PEER_AWAY') return this.#away(reason);
    if (reason.code === 'VERSION_TOO_OLD') {
      return new DtkdError(reason.code, `node "${namespace}" cannot be asked: ${reason.message}`, {
        ...(reason.next === undefined ? {} : { next: reason.next }),
        details: { node: namespace },
        cause: reason,
      });
    }
    if (reason.code === 'FRAME_INVALID' || reason.code === 'FRAME_TOO_LARGE') {
      return new DtkdError(reason.code, `node "${namespace}" gave an answer that is not allowed: ${reason.message}`, {
        details: { node: namespace },
      });
    }
    return reason;
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#request.signal.removeEventListener('abort', this.#abort);
    this.#stream?.destroy();
    for (const release of this.#ends.splice(0)) release();
  }

  /** The opened stream. If it opens only after the request was given up, it is destroyed. */
  #opened(opening: Promise<Duplex>): Promise<Duplex> {
    const { promise, resolve, reject } = Promise.withResolvers<Duplex>();
    const give = () => reject(this.#gone.signal.reason);
    if (this.#gone.signal.aborted) give();
    else this.#gone.signal.addEventListener('abort', give, { once: true });
    opening.then(
      (stream) => {
        stream.on('error', () => {});
        if (this.#ended || this.#gone.signal.aborted) {
          stream.destroy();
          return;
        }
        this.#stream = stream;
        resolve(stream);
      },
      (error: unknown) => reject(error),
    );
    return promise.finally(() => this.#gone.signal.removeEventListener('abort', give));
  }

  /**
   * The body, as it arrives. Only waiting for the peer counts towards the timeout, not the time the reader is busy; but a reader
   * that stops reading is given up, too.
   */
  #body(reader: FrameReader): AsyncIterable<Uint8Array> {
    const { timeoutMs, endless = false } = this.#request;
    let waited = 0;
    let since = 0;
    this.#watchReader();
    const next = async (): Promise<IteratorResult<Uint8Array>> => {
      if (this.#ended) return this.#over();
      clearTimeout(this.#timer);
      const started = performance.now();
      try {
        const frame = await reader.next(endless ? undefined : Math.max(1, timeoutMs - waited));
        if (frame === undefined) {
          this.end();
          return { done: true, value: undefined };
        }
        since += frame.length;
        waited = since >= TRICKLE_BYTES ? 0 : waited + performance.now() - started;
        if (since >= TRICKLE_BYTES) since = 0;
        this.#watchReader();
        return { done: false, value: frame };
      } catch (error) {
        const told = error instanceof DtkdError && error.code === 'TIMEOUT' ? this.#late(timeoutMs) : this.told(error);
        this.#failure ??= told;
        this.end();
        throw told;
      }
    };
    const iterator: AsyncIterator<Uint8Array> = {
      next,
      return: async () => {
        this.end();
        return { done: true, value: undefined };
      },
    };
    return { [Symbol.asyncIterator]: () => iterator };
  }

  /** The end of the body, or the error that broke it off. */
  #over(): IteratorResult<Uint8Array> {
    const failure = this.#failure ?? (this.#gone.signal.aborted ? this.told(undefined) : undefined);
    if (failure !== undefined) throw failure;
    return { done: true, value: undefined };
  }

  #watchReader(): void {
    if (this.#request.endless === true) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#fail(new DtkdError('TIMEOUT', 'the client stopped reading the answer')), UNREAD_MS);
    this.#timer.unref();
  }

  #fail(error: DtkdError): void {
    this.#gone.abort(error);
    this.#stream?.destroy(error);
    if (this.#stream !== undefined) this.end();
  }

  #late(timeoutMs: number): DtkdError {
    const { namespace } = this.#peer;
    return new DtkdError('TIMEOUT', `node "${namespace}" did not answer within ${timeoutMs} ms`, {
      next: 'Try again, or allow it more time with --timeout.',
      details: { node: namespace },
    });
  }

  #away(cause: unknown): DtkdError {
    const { namespace } = this.#peer;
    return new DtkdError('PEER_AWAY', `node "${namespace}" cannot be reached now`, {
      next: 'Try again when it is back: "dtkd domain show" says since when it is away.',
      details: { node: namespace },
      cause,
    });
  }
}
