import type { Duplex } from 'node:stream';
import { corkForTurn } from '../../streams/end-of-turn.ts';
import { type Channel, type ChannelSink, IDLE_SINK, type Traffic, UNCOUNTED } from './channel.ts';
import { isWhole, RELEASE_BYTES, release } from './release.ts';

const HEADER_BYTES = 4;
/** Largest frame accepted. Frames are not buffered, so this only bounds what a header may announce. */
const MAX_FRAME_BYTES = 1024 * 1024;
/** Up to this size, header and payload are copied together: cheaper than a gathered write. */
const COPY_BYTES = 4 * 1024;

const END_FRAME = Buffer.alloc(HEADER_BYTES);

/** The TCP socket below a TLS connection. */
export interface Resettable {
  readonly destroyed: boolean;
  resetAndDestroy(): unknown;
}

/**
 * A Channel over a TLS connection. Node's TLS cannot tell a clean end from a cut, since it ignores a missing close_notify. So bytes go in
 * frames, `u32 length | payload`: length 0 ends a direction, and a connection that closes without it was aborted.
 */
export class LaneChannel implements Channel {
  private readonly tls: Duplex;
  private readonly raw: Resettable;
  private sink: ChannelSink = IDLE_SINK;
  private traffic: Traffic = UNCOUNTED;
  /** Wire bytes received while paused. */
  private held: Buffer[] = [];
  /** Payload put back by the last receiver. */
  private returned: Buffer | undefined;
  private paused = true;
  /** Bytes still missing from the current frame. 0: a header comes next. */
  private remaining = 0;
  private header = Buffer.allocUnsafe(HEADER_BYTES);
  private headerBytes = 0;
  private endReceived = false;
  private endTold = false;
  private endSent = false;
  closed = false;
  readonly native = true;

  /** `raw` is the TCP socket below: only that can be reset. */
  constructor(tls: Duplex, raw: Resettable) {
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

  countInto(traffic: Traffic): void {
    this.traffic = traffic;
  }

  attach(sink: ChannelSink): void {
    this.sink = sink;
    if (this.closed) queueMicrotask(() => sink.onClose());
    else if (this.endTold) queueMicrotask(() => sink.onEnd());
  }

  write(chunk: Uint8Array, give = false): boolean {
    if (this.closed || this.endSent) return true;
    const length = chunk.length;
    if (length === 0) return true;
    if (length > MAX_FRAME_BYTES) {
      this.write(chunk.subarray(0, MAX_FRAME_BYTES));
      return this.write(chunk.subarray(MAX_FRAME_BYTES));
    }
    this.traffic.sent += length;
    if (this.tls.writableCorked === 0) corkForTurn(this.tls);
    if (length <= COPY_BYTES) {
      const frame = Buffer.allocUnsafe(HEADER_BYTES + length);
      frame.writeUInt32BE(length, 0);
      frame.set(chunk, HEADER_BYTES);
      return this.tls.write(frame);
    }
    const header = Buffer.allocUnsafe(HEADER_BYTES);
    header.writeUInt32BE(length, 0);
    // A gathered write packs both into one sequence of full TLS records.
    this.tls.write(header);
    return give && isWhole(chunk) ? this.tls.write(chunk, () => release(chunk)) : this.tls.write(chunk);
  }

  end(): void {
    if (this.closed || this.endSent) return;
    this.endSent = true;
    this.tls.write(END_FRAME);
    this.closeIfDone();
  }

  private closeIfDone(): void {
    if (this.endSent && this.endTold) this.tls.end();
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
    if (this.held.length > 0 || this.returned !== undefined || this.endReceived) queueMicrotask(() => this.deliverHeld());
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
        this.deliver(chunk);
      } else if (this.endReceived && !this.endTold) {
        this.tellEnd();
      } else {
        this.tls.resume();
        return;
      }
    }
  }

  private receive(chunk: Buffer): void {
    if (this.paused || this.held.length > 0) this.held.push(chunk);
    else this.deliver(chunk);
  }

  private deliver(chunk: Buffer): void {
    const size = this.takeHeadersOut(chunk);
    if (size < 0) {
      this.abort();
      return;
    }
    this.traffic.received += size;
    if (size > 0) this.sink.onData(front(chunk, size));
    if (this.endReceived && !this.paused && !this.closed) this.tellEnd();
  }

  private tellEnd(): void {
    if (this.endTold) return;
    this.endTold = true;
    this.sink.onEnd();
    this.closeIfDone();
  }

  /** Moves the payload of a chunk to its front, over the headers. Returns the length of the payload, or -1 if the frames are invalid. */
  private takeHeadersOut(chunk: Buffer): number {
    let at = 0;
    let out = 0;
    while (at < chunk.length) {
      if (this.endReceived) return -1;
      if (this.remaining === 0) {
        this.header[this.headerBytes] = chunk[at] ?? 0;
        this.headerBytes += 1;
        at += 1;
        if (this.headerBytes === HEADER_BYTES && !this.beginFrame()) return -1;
        continue;
      }
      const size = Math.min(this.remaining, chunk.length - at);
      if (out !== at) chunk.copyWithin(out, at, at + size);
      this.remaining -= size;
      at += size;
      out += size;
    }
    return out;
  }

  private beginFrame(): boolean {
    this.headerBytes = 0;
    this.remaining = this.header.readUInt32BE(0);
    if (this.remaining === 0) this.endReceived = true;
    return this.remaining <= MAX_FRAME_BYTES;
  }
}

/** The first `size` bytes of a chunk. Moves them into memory of their own where that allows releasing it after use. */
function front(chunk: Buffer, size: number): Buffer {
  if (size === chunk.length) return chunk;
  if (size < RELEASE_BYTES || !isWhole(chunk) || !(chunk.buffer instanceof ArrayBuffer)) return chunk.subarray(0, size);
  return Buffer.from(chunk.buffer.transfer(size));
}
