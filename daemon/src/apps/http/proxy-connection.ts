import type { Channel, ChannelSink } from '../channel/channel.ts';
import { type Pump, pump } from '../channel/pump.ts';
import { BodyReader, type Framing } from './body.ts';
import { isCrossSite } from './cross-site.ts';
import { type ClientFacts, requestFields, responseFields, trailerFields } from './fields.ts';
import { framingField, requestFraming, responseHeadText, wantsUpgrade } from './framing.ts';
import { Gather } from './gather.ts';
import { fieldOf, HeadError, headEnd, parseRequestHead, type RequestHead, type ResponseHead } from './head.ts';
import { HTTP_LIMITS } from './limits.ts';
import type { OriginConnection, OriginUser } from './origin-connection.ts';
import type { OriginPool } from './origin-pool.ts';
import { isRefusal, type Refusal, refusalBytes, refusalOf } from './refusal.ts';

/** Where a request goes. */
export interface Route {
  pool: OriginPool;
  allowCrossSite: boolean;
  /** Decides on each request before any of it reaches the origin. A Refusal is sent as the response. */
  authorize?: (head: RequestHead, client: ClientFacts) => Promise<Refusal | undefined>;
}

export interface ProxyContext {
  router(head: RequestHead): Route | Refusal;
  /** Milliseconds, monotonic enough for deadlines. */
  now(): number;
  /** True once connections are to close after the current response. */
  stopping(): boolean;
  onClosed(connection: ProxyConnection): void;
  /** A request got its response, or at least the head of it. */
  onAnswer(status: number): void;
}

type Phase = 'head' | 'routing' | 'exchange' | 'linger' | 'upgraded' | 'closed';

const LAST_CHUNK = '0\r\n';
const CRLF = Buffer.from('\r\n', 'latin1');
/** Methods that may be repeated if a kept-alive connection turns out to be dead (RFC 9110 §9.2.2), provided that there is no body. */
const REPEATABLE = new Set(['GET', 'HEAD', 'OPTIONS']);
const LINGER_BYTES = 1024 * 1024;

/** True if a request may begin with this byte, or if the byte is still missing: methods consist of capital letters. */
function mayBegin(byte: number | undefined): boolean {
  return byte === undefined || byte === CRLF[0] || (byte >= 65 && byte <= 90);
}

/**
 * One client connection of the proxy: reads requests one after the other, routes each individually, forwards it over a connection of the
 * route's pool and streams the response back. Guarantees that each request's framing is fully understood and written anew, that neither
 * side is read faster than the other takes it, and that an abort on one side becomes an abort on the other. Knows nothing of apps.
 */
export class ProxyConnection implements ChannelSink, OriginUser {
  private readonly channel: Channel;
  private readonly client: ClientFacts;
  private readonly context: ProxyContext;
  private phase: Phase = 'head';
  /** Bytes not yet parsed: of the next head, of a body that cannot proceed yet, or of a later request. */
  private input: Buffer | undefined;
  private head: RequestHead | undefined;
  private route: Route | undefined;
  private body: BodyReader | undefined;
  private origin: OriginConnection | undefined;
  private sentHead = false;
  private keepAlive = true;
  /** The response is chunked here, since the origin does not chunk it. */
  private chunkOut = false;
  /** The client understands chunked coding. */
  private framedOut = true;
  private endsInChunk = false;
  /** Pieces to send in this turn, to the origin or to the client. */
  private readonly out = new Gather();
  /** Nothing else holds the memory of chunks that are passed on whole. */
  private give = false;
  private originBlocked = false;
  /** The client has not read its last responses yet. No further request is read before it has. */
  private full = false;
  private lingered = 0;
  private lingerPending = -1;
  private lingerUntil = 0;
  /** The time by which the client must read what waits for it. 0: nothing waits. */
  private lyingUntil = 0;
  private upgraded: Pump | undefined;
  /** For an upgraded connection: how many bytes the client had taken at the last sweep. */
  private taken: number | undefined;
  private deadlineIsIdle = true;
  /** When the current phase times out; 0: never. */
  deadline: number;

  constructor(channel: Channel, client: ClientFacts, context: ProxyContext) {
    this.channel = channel;
    this.client = client;
    this.context = context;
    this.deadline = context.now() + HTTP_LIMITS.idleMs;
    channel.attach(this);
    channel.resume();
  }

  /** True if no part of a request has arrived. Such a connection may be closed at once when the proxy stops. */
  get idle(): boolean {
    return this.phase === 'head' && this.input === undefined;
  }

  /** True if no request is under way: none has arrived completely, or the last response has been taken by the client. */
  get waits(): boolean {
    return (this.phase === 'head' || this.phase === 'linger') && this.channel.pending === 0;
  }

  /** Closes at once. */
  giveWay(): void {
    if (this.waits) this.channel.discard();
    else this.channel.abort();
    this.onClose();
  }

  close(): void {
    if (this.idle) this.linger();
    else this.keepAlive = false;
  }

  abort(): void {
    this.channel.abort();
  }

  /** Called about once a second. */
  sweep(now: number): void {
    if (this.leavesLying(now)) {
      this.channel.abort();
      return;
    }
    if (this.deadline === 0 || now < this.deadline) return;
    const { pending } = this.channel;
    if (this.phase === 'linger' && pending > 0 && (pending !== this.lingerPending || now < this.lingerUntil)) {
      // A slow reader may pause at the end of its response for as long as in the middle.
      if (pending !== this.lingerPending) this.lingerUntil = now + HTTP_LIMITS.stallMs;
      this.lingerPending = pending;
      this.deadline = now + HTTP_LIMITS.lingerMs;
    } else if (this.phase === 'head' && this.full) {
      this.channel.abort();
    } else if (this.phase === 'head' && this.input !== undefined) {
      this.refuse({ status: 408, code: 'TIMEOUT', message: 'the request did not arrive in time' }, true);
    } else if (this.phase === 'head') {
      this.linger();
    } else if (this.phase === 'linger') {
      this.channel.discard();
    } else {
      this.channel.abort();
    }
  }

  /** True if the client has read nothing for too long, even if it keeps sending. */
  private leavesLying(now: number): boolean {
    if (this.upgraded !== undefined) {
      const { pending } = this.channel;
      const taken = this.upgraded.back - pending;
      if (pending === 0 || taken !== this.taken) this.lyingUntil = now + HTTP_LIMITS.stallMs;
      this.taken = taken;
    }
    return this.lyingUntil !== 0 && now >= this.lyingUntil;
  }

  // --- the client's side

  onData(chunk: Buffer): void {
    switch (this.phase) {
      case 'head':
        this.input = this.input === undefined ? chunk : Buffer.concat([this.input, chunk]);
        this.readHead();
        return;
      case 'exchange':
        if (this.body !== undefined && !this.body.done && this.input === undefined) this.forwardBody(chunk);
        else this.keep(chunk);
        return;
      case 'routing':
        this.keep(chunk);
        return;
      case 'linger':
        this.lingered += chunk.length;
        if (this.lingered > LINGER_BYTES) this.channel.discard();
        return;
    }
  }

  private keep(chunk: Buffer): void {
    this.input = this.input === undefined ? chunk : Buffer.concat([this.input, chunk]);
    if (this.input.length > HTTP_LIMITS.aheadBytes) this.channel.pause();
  }

  onEnd(): void {
    if (this.phase === 'linger') return;
    if (this.phase === 'head' && this.input === undefined) this.linger();
    // A client that closes while waiting for a response has gone away: a browser's stop button sends nothing else.
    else this.channel.abort();
  }

  onDrain(): void {
    this.lyingUntil = 0;
    if (this.phase === 'head' && this.full) this.awaitNext();
    if (this.phase !== 'exchange') return;
    this.deadline = this.bodyDeadline();
    this.origin?.channel.resume();
  }

  onClose(): void {
    if (this.phase === 'closed') return;
    const upgraded = this.phase === 'upgraded';
    this.phase = 'closed';
    this.input = undefined;
    this.out.clear();
    if (!upgraded) this.origin?.cancel();
    this.origin = undefined;
    this.context.onClosed(this);
  }

  private readHead(): void {
    while (this.phase === 'head' && !this.full && this.input !== undefined) {
      try {
        const start = this.input[0] === 13 && this.input[1] === 10 ? 2 : 0;
        const end = headEnd(this.input, start);
        if (end < 0) {
          // TLS, for example, contains no line end, and its sender waits for an answer
          if (!mayBegin(this.input[start])) throw new HeadError(400, 'this is not HTTP');
          if (this.input.length > HTTP_LIMITS.headBytes) throw new HeadError(431, `the head is larger than ${HTTP_LIMITS.headBytes} bytes`);
          if (this.deadlineIsIdle) this.setHeadDeadline();
          this.resumeClient();
          return;
        }
        if (end - start > HTTP_LIMITS.headBytes) throw new HeadError(431, `the head is larger than ${HTTP_LIMITS.headBytes} bytes`);
        const text = this.input.toString('latin1', start, end);
        this.input = end < this.input.length ? this.input.subarray(end) : undefined;
        this.begin(parseRequestHead(text));
      } catch (error) {
        const status = error instanceof HeadError ? error.status : 500;
        const message = error instanceof HeadError ? error.message : 'the request could not be handled';
        this.refuse({ status, code: status === 500 ? 'INTERNAL' : 'BAD_REQUEST', message }, true);
      }
    }
  }

  private resumeClient(): void {
    if (!this.originBlocked && (this.input?.length ?? 0) <= HTTP_LIMITS.aheadBytes) this.channel.resume();
  }

  private setHeadDeadline(): void {
    this.deadlineIsIdle = false;
    this.deadline = this.context.now() + HTTP_LIMITS.headMs;
  }

  private begin(head: RequestHead): void {
    this.head = head;
    this.phase = 'routing';
    this.deadline = 0;
    this.sentHead = false;
    this.originBlocked = false;
    this.keepAlive = head.version === '1.1' && !head.connection.includes('close') && !this.context.stopping();
    this.body = new BodyReader(requestFraming(head), true);
    const expect = fieldOf(head, 'expect');
    if (expect !== undefined && expect.toLowerCase() !== '100-continue') {
      this.refuse({ status: 417, code: 'BAD_REQUEST', message: 'the only expectation served is 100-continue' });
      return;
    }
    const route = this.context.router(head);
    if (isRefusal(route)) {
      this.refuse(route);
      return;
    }
    this.route = route;
    if (!route.allowCrossSite && isCrossSite(head)) {
      const next = 'If the app is meant to be used from other pages, its owner sets spec.allowCrossSite.';
      this.refuse({ status: 403, code: 'FORBIDDEN', message: 'a page of another site may not send this request', next });
      return;
    }
    if (route.authorize === undefined) this.connect(route);
    else this.authorize(route, head, route.authorize);
  }

  private authorize(route: Route, head: RequestHead, decide: NonNullable<Route['authorize']>): void {
    decide(head, this.client).then(
      (refusal) => {
        if (this.phase !== 'routing') return;
        if (refusal === undefined) this.connect(route);
        else this.refuse(refusal);
      },
      (error: unknown) => {
        if (this.phase === 'routing') this.refuse(refusalOf(error));
      },
    );
  }

  private connect(route: Route, fresh = false): void {
    const idle = fresh ? undefined : route.pool.take();
    if (idle !== undefined) {
      this.send(idle);
      return;
    }
    route.pool.dial().then(
      (connection) => {
        if (this.phase === 'routing') this.send(connection);
        else route.pool.giveBack(connection);
      },
      (error: unknown) => {
        if (this.phase === 'routing') this.refuse(refusalOf(error));
      },
    );
  }

  private send(origin: OriginConnection): void {
    const { head, body } = this;
    if (head === undefined || body === undefined) return;
    const upgrade = wantsUpgrade(head);
    this.framedOut = head.version === '1.1';
    this.phase = 'exchange';
    this.origin = origin;
    this.deadline = this.bodyDeadline();
    this.give = this.channel.native && origin.channel.native;
    origin.begin(this, { method: head.method, upgrade, framed: this.framedOut });
    const fields = `${requestFields(head, this.client, upgrade)}${framingField(requestFraming(head))}`;
    this.out.push(Buffer.from(`${head.method} ${head.target} HTTP/1.1\r\n${fields}\r\n`, 'latin1'));
    const early = this.input;
    this.input = undefined;
    if (body.done) {
      origin.requestDone();
      if (early !== undefined) this.keep(early);
      this.out.flushTo(origin.channel, this.give);
    } else if (early === undefined) {
      this.out.flushTo(origin.channel, this.give);
    } else {
      this.forwardBody(early);
    }
    if (this.phase === 'exchange') this.resumeClient();
  }

  private forwardBody(chunk: Buffer): void {
    const { body, origin } = this;
    if (body === undefined || origin === undefined) return;
    let at: number;
    try {
      at = body.read(chunk, 0, this.out.push);
      if (body.done && body.kind === 'chunked') {
        const trailers = trailerFields(body.trailers);
        if (trailers === undefined) throw new Error('the trailers are not valid');
        this.out.push(Buffer.from(`${LAST_CHUNK}${trailers}\r\n`, 'latin1'));
      }
    } catch {
      this.spoil('the request body is not valid');
      return;
    }
    if (body.done) origin.requestDone();
    if (at < chunk.length) this.keep(chunk.subarray(at));
    this.deadline = this.bodyDeadline();
    if (!this.out.flushTo(origin.channel, this.give)) {
      this.originBlocked = true;
      this.channel.pause();
    }
  }

  /** The body is malformed: the origin must see an abort, never an end. */
  private spoil(message: string): void {
    this.out.clear();
    this.origin?.cancel();
    this.origin = undefined;
    if (this.sentHead) this.channel.abort();
    else this.refuse({ status: 400, code: 'BAD_REQUEST', message }, true);
  }

  private bodyDeadline(): number {
    const waits = (this.body !== undefined && !this.body.done) || this.channel.pending > 0;
    return waits ? this.context.now() + HTTP_LIMITS.stallMs : 0;
  }

  // --- the origin's side

  onOriginDrain(): void {
    if (!this.originBlocked) return;
    this.originBlocked = false;
    this.resumeClient();
  }

  onInterim(head: ResponseHead): void {
    if (!this.framedOut) return;
    this.out.push(Buffer.from(`HTTP/1.1 ${head.status} ${head.reason}\r\n${responseFields(head, false)}\r\n`, 'latin1'));
  }

  onResponseHead(head: ResponseHead, framing: Framing): void {
    this.sentHead = true;
    this.context.onAnswer(head.status);
    this.chunkOut = framing.kind === 'close' && this.framedOut;
    this.endsInChunk = this.framedOut && (framing.kind === 'close' || framing.kind === 'chunked');
    // A response before the end of its request: the rest of the request must not be taken for the next one.
    if (this.body?.done === false) this.keepAlive = false;
    this.out.push(Buffer.from(responseHeadText(head, framing, this.framedOut, !this.keepAlive), 'latin1'));
  }

  onResponseBody(piece: Buffer): void {
    if (this.chunkOut) this.out.push(Buffer.from(`${piece.length.toString(16)}\r\n`, 'latin1'));
    this.out.push(piece);
    if (this.chunkOut) this.out.push(CRLF);
  }

  onFlush(): void {
    if (this.out.flushTo(this.channel, this.give)) return;
    if (this.lyingUntil === 0) this.lyingUntil = this.context.now() + HTTP_LIMITS.stallMs;
    this.origin?.channel.pause();
  }

  onResponseEnd(trailerBlock: string): void {
    const trailers = trailerFields(trailerBlock);
    if (trailers === undefined) {
      this.channel.abort();
      return;
    }
    if (this.endsInChunk) this.out.push(Buffer.from(`${LAST_CHUNK}${trailers}\r\n`, 'latin1'));
    const room = this.out.flushTo(this.channel, this.give);
    this.origin = undefined;
    this.finish(room);
  }

  onUpgraded(head: ResponseHead, connection: OriginConnection, early: Buffer): void {
    this.phase = 'upgraded';
    this.context.onAnswer(head.status);
    this.deadline = 0;
    this.origin = undefined;
    const text = `HTTP/1.1 101 ${head.reason}\r\n${responseFields(head, true)}\r\n`;
    this.channel.pause();
    if (this.input !== undefined) this.channel.unshift(this.input);
    this.input = undefined;
    connection.channel.unshift(early);
    this.out.push(Buffer.from(text, 'latin1'));
    this.out.flushTo(this.channel, this.give);
    this.upgraded = pump(this.channel, connection.channel, () => {
      connection.upgradeClosed();
      this.onClose();
    });
  }

  onOriginFailed(stale: boolean): void {
    this.origin = undefined;
    this.out.clear();
    if (this.phase !== 'exchange') return;
    if (this.sentHead) {
      this.channel.abort();
      return;
    }
    const { head, route, body } = this;
    if (stale && head !== undefined && route !== undefined && body?.kind === 'none' && REPEATABLE.has(head.method)) {
      this.phase = 'routing';
      this.connect(route, true);
      return;
    }
    this.refuse({ status: 502, code: 'UNAVAILABLE', message: 'the app closed the connection or gave no valid HTTP answer' });
  }

  // --- both

  /**
   * Ends an exchange. `room`: the client keeps up with its responses. Without this check, a client that sends requests and reads nothing
   * would fill the memory with responses.
   */
  private finish(room: boolean): void {
    const complete = this.body?.done ?? true;
    this.lyingUntil = 0;
    this.head = undefined;
    this.body = undefined;
    this.route = undefined;
    if (!complete || !this.keepAlive || this.context.stopping()) {
      this.linger();
      return;
    }
    this.phase = 'head';
    this.originBlocked = false;
    if (room) {
      this.awaitNext();
      return;
    }
    this.full = true;
    this.deadline = this.context.now() + HTTP_LIMITS.stallMs;
    this.channel.pause();
  }

  private awaitNext(): void {
    this.full = false;
    this.deadlineIsIdle = true;
    this.deadline = this.context.now() + HTTP_LIMITS.idleMs;
    this.resumeClient();
    // A pipelined request begins in a turn of its own, so that a long run of them does not delay others.
    if (this.input !== undefined) setImmediate(() => this.readHead());
  }

  private refuse(refusal: Refusal, broken = false): void {
    const { head } = this;
    this.context.onAnswer(refusal.status);
    if (broken || (this.body !== undefined && !this.body.done)) this.keepAlive = false;
    const accept = head === undefined ? undefined : fieldOf(head, 'accept');
    const room = this.channel.write(refusalBytes(refusal, { head: head?.method === 'HEAD', accept }, !this.keepAlive));
    this.finish(room);
  }

  /** Closes once the client has read what was written. A reset would discard the response on its way. */
  private linger(): void {
    this.phase = 'linger';
    this.input = undefined;
    this.lingered = 0;
    this.deadline = this.context.now() + HTTP_LIMITS.lingerMs;
    this.channel.end();
    this.channel.resume();
  }
}
