import type { Channel, ChannelSink } from '../channel/channel.ts';
import { BodyReader, type Framing } from './body.ts';
import { fieldOf, headEnd, parseResponseHead, type ResponseHead } from './head.ts';
import { HTTP_LIMITS } from './limits.ts';

/** The user of an origin connection: has a request under way on it. */
export interface OriginUser {
  onInterim(head: ResponseHead): void;
  onResponseHead(head: ResponseHead, framing: Framing): void;
  onResponseBody(piece: Buffer): void;
  /** The response is complete. `trailers` are as received. The connection has been given back or closed. */
  onResponseEnd(trailers: string): void;
  /** The origin agreed to the upgrade. The user owns the channel from now on. `early` holds bytes that the origin has already sent. */
  onUpgraded(head: ResponseHead, connection: OriginConnection, early: Buffer): void;
  /** Everything that arrived in this turn has been delivered. */
  onFlush(): void;
  onOriginDrain(): void;
  /** The connection failed, or sent invalid HTTP. `stale`: it had been used before, and sent no byte in answer to this request. */
  onOriginFailed(stale: boolean): void;
}

export interface OriginRequest {
  method: string;
  upgrade: boolean;
  /** Pass chunks on with their framing. */
  framed: boolean;
}

/** How the body of a response ends (RFC 9112 §6.3). */
export function responseFraming(method: string, head: ResponseHead): Framing {
  if (method === 'HEAD' || head.status === 204 || head.status === 304) return { kind: 'none' };
  if (head.chunked) return { kind: 'chunked' };
  if (head.contentLength !== undefined) return { kind: 'length', bytes: head.contentLength };
  return { kind: 'close' };
}

/** One HTTP/1.1 connection to an origin. Carries one request at a time and returns to its pool after each complete and valid response. */
export class OriginConnection implements ChannelSink {
  readonly channel: Channel;
  private readonly giveBack: (connection: OriginConnection, reusable: boolean) => void;
  private readonly forget: (connection: OriginConnection) => void;
  private user: OriginUser | undefined;
  private request: OriginRequest | undefined;
  private reader: BodyReader | undefined;
  private input: Buffer | undefined;
  private reusable = true;
  private requestSent = false;
  private answered = false;
  private interims = 0;
  private uses = 0;
  /** When it became idle or was retired, by the pool's clock. */
  idleSince = 0;
  retired = false;

  constructor(
    channel: Channel,
    giveBack: (connection: OriginConnection, reusable: boolean) => void,
    forget: (connection: OriginConnection) => void,
  ) {
    this.channel = channel;
    this.giveBack = giveBack;
    this.forget = forget;
    channel.attach(this);
    channel.resume();
  }

  get closed(): boolean {
    return this.channel.closed;
  }

  begin(user: OriginUser, request: OriginRequest): void {
    this.user = user;
    this.request = request;
    this.reader = undefined;
    this.reusable = true;
    this.requestSent = false;
    this.answered = false;
    this.interims = 0;
    this.uses += 1;
  }

  /** To be called when the user has written its whole request. */
  requestDone(): void {
    this.requestSent = true;
  }

  /** Gives up the request. The origin sees an abort. */
  cancel(): void {
    this.user = undefined;
    this.channel.abort();
  }

  onData(chunk: Buffer): void {
    const user = this.user;
    if (user === undefined) {
      // An unsolicited response must not become the response to the next request.
      this.channel.abort();
      return;
    }
    this.answered = true;
    try {
      this.read(this.input === undefined ? chunk : Buffer.concat([this.input, chunk]), user);
    } catch {
      this.fail(false);
      return;
    }
    if (this.reader?.done === true) this.complete(user, this.reader.trailers);
    else user.onFlush();
  }

  private read(bytes: Buffer, user: OriginUser): void {
    this.input = undefined;
    let at = 0;
    while (this.reader === undefined && this.user === user) {
      const end = headEnd(bytes, at);
      if (end < 0) {
        if (bytes.length - at > HTTP_LIMITS.headBytes) throw new Error('the head is too large');
        if (at < bytes.length) this.input = at === 0 ? bytes : bytes.subarray(at);
        return;
      }
      if (end - at > HTTP_LIMITS.headBytes) throw new Error('the head is too large');
      const head = parseResponseHead(bytes.toString('latin1', at, end));
      at = end;
      if (head.status >= 200) this.beginBody(head, user);
      else if (head.status === 101) this.upgrade(head, bytes.subarray(at), user);
      else this.interim(head, user);
    }
    if (this.reader === undefined || this.user !== user) return;
    at = this.reader.read(bytes, at, (piece) => user.onResponseBody(piece));
    if (this.reader.done && at < bytes.length) this.reusable = false;
  }

  private interim(head: ResponseHead, user: OriginUser): void {
    this.interims += 1;
    if (this.interims > HTTP_LIMITS.interims) throw new Error('too many interim responses');
    user.onInterim(head);
  }

  private upgrade(head: ResponseHead, early: Buffer, user: OriginUser): void {
    if (this.request?.upgrade !== true || head.upgrade === undefined) throw new Error('an upgrade that nobody asked for');
    this.user = undefined;
    this.channel.pause();
    user.onUpgraded(head, this, early);
  }

  /** To be called when the upgraded channel is closed. */
  upgradeClosed(): void {
    this.forget(this);
  }

  /** Closes gracefully: the origin sees an end, not an abort. */
  retire(now: number): void {
    this.idleSince = now;
    this.retired = true;
    this.channel.end();
  }

  private beginBody(head: ResponseHead, user: OriginUser): void {
    const request = this.request;
    const framing = responseFraming(request?.method ?? '', head);
    if (head.version === '1.0' || framing.kind === 'close' || head.connection.includes('close')) this.reusable = false;
    if (fieldOf(head, 'upgrade') !== undefined && request?.upgrade === true) this.reusable = false;
    this.reader = new BodyReader(framing, request?.framed ?? true);
    user.onResponseHead(head, framing);
  }

  private complete(user: OriginUser, trailers: string): void {
    if (this.user !== user) return;
    this.user = undefined;
    if (this.requestSent && !this.closed) this.giveBack(this, this.reusable);
    else this.channel.abort();
    user.onResponseEnd(trailers);
  }

  onEnd(): void {
    const user = this.user;
    this.reusable = false;
    if (user !== undefined && this.reader?.kind === 'close') {
      this.user = undefined;
      if (this.requestSent) this.channel.end();
      else this.channel.abort();
      user.onResponseEnd('');
      return;
    }
    if (user === undefined) {
      this.forget(this);
      this.channel.end();
      return;
    }
    this.fail(!this.answered && this.uses > 1);
  }

  onDrain(): void {
    this.user?.onOriginDrain();
  }

  onClose(): void {
    this.forget(this);
    this.fail(!this.answered && this.uses > 1);
  }

  private fail(stale: boolean): void {
    const user = this.user;
    this.user = undefined;
    this.channel.abort();
    user?.onOriginFailed(stale);
  }
}
