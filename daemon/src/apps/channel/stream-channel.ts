import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { corkForTurn } from '../../streams/end-of-turn.ts';
import { type Channel, type ChannelSink, IDLE_SINK, type Traffic, UNCOUNTED } from './channel.ts';
import { isWhole, release } from './release.ts';

/** A Channel over any Duplex: a TCP socket or a mesh stream. The stream must allow half-open. */
export class StreamChannel implements Channel {
  readonly stream: Duplex;
  private sink: ChannelSink = IDLE_SINK;
  private traffic: Traffic = UNCOUNTED;
  private ended = false;
  closed = false;
  readonly native: boolean;

  constructor(stream: Duplex) {
    this.stream = stream;
    this.native = stream instanceof Socket;
    stream.pause();
    stream.on('data', (chunk: Buffer) => {
      this.traffic.received += chunk.length;
      this.sink.onData(chunk);
    });
    stream.on('end', () => {
      this.ended = true;
      this.sink.onEnd();
    });
    stream.on('drain', () => this.sink.onDrain());
    // Only the close that follows matters. Without this listener an error would end the process.
    stream.on('error', () => undefined);
    stream.on('close', () => {
      this.closed = true;
      this.sink.onClose();
    });
  }

  get pending(): number {
    return this.stream.writableLength;
  }

  countInto(traffic: Traffic): void {
    this.traffic = traffic;
  }

  attach(sink: ChannelSink): void {
    this.sink = sink;
    if (this.closed) queueMicrotask(() => sink.onClose());
    else if (this.ended) queueMicrotask(() => sink.onEnd());
  }

  write(chunk: Uint8Array, give = false): boolean {
    if (this.closed || !this.stream.writable) return true;
    this.traffic.sent += chunk.length;
    if (this.stream.writableCorked === 0) corkForTurn(this.stream);
    if (give && this.native && isWhole(chunk)) return this.stream.write(chunk, () => release(chunk));
    return this.stream.write(chunk);
  }

  end(): void {
    if (this.closed) return;
    this.stream.end();
  }

  abort(): void {
    if (this.closed) return;
    // A reset, so that the other side does not mistake the cut for an end.
    if (this.stream instanceof Socket) this.stream.resetAndDestroy();
    else this.stream.destroy(new Error('aborted'));
  }

  discard(): void {
    this.stream.destroy();
  }

  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    if (!this.closed) this.stream.resume();
  }

  unshift(chunk: Buffer): void {
    if (chunk.length === 0 || this.closed) return;
    // these bytes will be received and counted once more
    this.traffic.received -= chunk.length;
    this.stream.unshift(chunk);
  }
}
