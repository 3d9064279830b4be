import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { type Channel, type ChannelSink, IDLE_SINK } from './channel.ts';

/**
 * A Channel over a TLS connection. Node's TLS does not tell a clean end from a cut (it ignores a missing close_notify), so bytes go in
 * frames, `u32 length | payload`; length 0 is the end of a direction, and a connection that closes before it was aborted.
 */

const HEADER_BYTES = 4;
/** Frames are not buffered, so this only bounds what a receiver may be told to expect. */
const MAX_FRAME_BYTES = 1024 * 1024;
/** Below this, header and payload are copied together: cheaper than a gathered write. */
const COPY_BYTES = 4 * 1024;
/** As in stream-channel.ts. */
const BULK_BYTES = 12 * 1024;

const END_FRAME = Buffer.alloc(HEADER_BYTES);

export class LaneChannel implements Channel {
  private readonly tls: TLSSocket;
  private readonly raw: Socket;
  private sink: ChannelSink = IDLE_SINK;
  /** Wire bytes that came in while paused. */
  private held: Buffer[] = [];
  /** Payload that the last receiver gave back. */
  private returned: Buffer | undefined;
  private paused = true;
  private corked = false;
  private delivering = false;
  /** Bytes of the present frame still to come; -1 while the header is incomplete. */
  private remaining = -1;
  private header = Buffer.allocUnsafe(HEADER_BYTES);
  private headerBytes = 0;
  private endReceived = false;
  private endSent = false;
  closed = false;

  /** `raw` is the TCP socket below, which alone can be reset. */
  constructor(tls: TLSSocket, raw: Socket) {
    this.tls = tls;
    this.raw = raw;
    tls.pause();
    tls.on('data', (chunk: Buffer) => this.receive(chunk));
    tls.on('drain', () => this.sink.onDrain());
    tls.on('error', () => undefined);
    tls.on('close', () => {
      this.closed = true;
      this.held = [];
      this.sink.onClose();
    });
  }

  get pending(): number {
    return this.tls.writableLength;
  }

  attach(sink: ChannelSink): void {
    this.sink = sink;
    if (this.closed) queueMicrotask(() => sink.onClose());
    else if (this.endReceived) queueMicrotask(() => sink.onEnd());
  }

  write(chunk: Uint8Array): boolean {
    if (this.closed || this.endSent) return true;
    const length = chunk.length;
    if (length === 0) return true;
    if (length <= COPY_BYTES) {
      const frame = Buffer.allocUnsafe(HEADER_BYTES + length);
      frame.writeUInt32BE(length, 0);
      frame.set(chunk, HEADER_BYTES);
      return this.tls.write(frame);
    }
    if (length > MAX_FRAME_BYTES) {
      this.write(chunk.subarray(0, MAX_FRAME_BYTES));
      return this.write(chunk.subarray(MAX_FRAME_BYTES));
    }
    const header = Buffer.allocUnsafe(HEADER_BYTES);
    header.writeUInt32BE(length, 0);
    // One gathered write makes one sequence of full TLS records of both.
    this.tls.cork();
    this.tls.write(header);
    const room = this.tls.write(chunk);
    if (length >= BULK_BYTES && !this.corked) {
      this.corked = true;
      setImmediate(() => {
        this.corked = false;
        this.tls.uncork();
      });
    } else {
      this.tls.uncork();
    }
    return room;
  }

  end(): void {
    if (this.closed || this.endSent) return;
    this.endSent = true;
    this.tls.write(END_FRAME);
    this.closeIfDone();
  }

  private closeIfDone(): void {
    if (this.endSent && this.endReceived) this.tls.end();
  }

  abort(): void {
    if (this.closed) return;
    this.tls.destroy();
    if (!this.raw.destroyed) this.raw.resetAndDestroy();
  }

  discard(): void {
    this.tls.destroy();
  }

  pause(): void {
    this.paused = true;
    this.tls.pause();
  }

  resume(): void {
    if (this.closed || !this.paused) return;
    this.paused = false;
    if (this.held.length > 0 || this.returned !== undefined) queueMicrotask(() => this.deliverHeld());
    else this.tls.resume();
  }

  unshift(chunk: Buffer): void {
    if (chunk.length > 0 && !this.closed) this.returned = chunk;
  }

  private deliverHeld(): void {
    while (!this.paused && !this.closed) {
      const returned = this.returned;
      const chunk = returned === undefined ? this.held.shift() : undefined;
      if (returned !== undefined) {
        this.returned = undefined;
        this.sink.onData(returned);
      } else if (chunk !== undefined) {
        this.receive(chunk);
      } else {
        this.tls.resume();
        return;
      }
    }
  }

  private receive(chunk: Buffer): void {
    if (this.delivering || (this.paused && this.held.length > 0)) {
      this.held.push(chunk);
      return;
    }
    this.delivering = true;
    const rest = this.parse(chunk);
    this.delivering = false;
    if (rest !== undefined) this.held.unshift(rest);
  }

  /** Delivers what `chunk` holds until the receiver pauses; returns what is left then. */
  private parse(chunk: Buffer): Buffer | undefined {
    let at = 0;
    while (at < chunk.length) {
      if (this.paused) return chunk.subarray(at);
      if (this.remaining <= 0) {
        at = this.parseHeader(chunk, at);
        if (at < 0) return undefined;
        continue;
      }
      const size = Math.min(this.remaining, chunk.length - at);
      this.remaining -= size;
      if (this.remaining === 0) this.remaining = -1;
      const payload = at === 0 && size === chunk.length ? chunk : chunk.subarray(at, at + size);
      at += size;
      this.sink.onData(payload);
      if (this.closed) return undefined;
    }
    return undefined;
  }

  /** Returns where the payload begins, or -1 if the channel was aborted. */
  private parseHeader(chunk: Buffer, from: number): number {
    let at = from;
    while (this.headerBytes < HEADER_BYTES && at < chunk.length) {
      this.header[this.headerBytes] = chunk[at] ?? 0;
      this.headerBytes += 1;
      at += 1;
    }
    if (this.headerBytes < HEADER_BYTES) return at;
    this.headerBytes = 0;
    const length = this.header.readUInt32BE(0);
    if (this.endReceived || length > 2 * MAX_FRAME_BYTES) {
      this.abort();
      return -1;
    }
    if (length > 0) {
      this.remaining = length;
      return at;
    }
    this.endReceived = true;
    this.sink.onEnd();
    this.closeIfDone();
    return at;
  }
}
