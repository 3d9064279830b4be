/**
 * A libp2p stream as a Node Duplex. Maps back-pressure (a full stream delays writes, a slow reader pauses the sender), half-close (`end()`
 * sends FIN, FIN ends the readable side) and abort (destroy sends RST; RST or a lost connection destroys). A stream that goes away without
 * FIN is an error here, never an end, whereas libp2p reports a lost connection as a clean close.
 */
import { Duplex } from 'node:stream';
import type { Stream } from '@libp2p/interface';
import { DtkdError } from '../../../../protocol/errors.ts';

/** Bytes read ahead per stream before the sender is paused: one initial yamux window, which keeps the line busy and no more. */
const READ_AHEAD_BYTES = 256 * 1024;
/** Bytes accepted from a writer before `write()` returns false. */
const WRITE_AHEAD_BYTES = 64 * 1024;

export class StreamDuplex extends Duplex {
  readonly #stream: Stream;
  #finSeen: boolean;
  #endPushed = false;
  #paused = false;

  constructor(stream: Stream) {
    super({ allowHalfOpen: true, readableHighWaterMark: READ_AHEAD_BYTES, writableHighWaterMark: WRITE_AHEAD_BYTES });
    this.#stream = stream;
    // A stream may fail before or after anybody listens; this must never end the process.
    this.on('error', () => {});
    this.#finSeen = stream.status === 'open' && stream.remoteWriteStatus === 'closed';
    stream.addEventListener('remoteCloseWrite', () => {
      this.#finSeen = true;
    });
    stream.addEventListener('end', () => this.#onEnd());
    stream.addEventListener('close', (event) => this.#onClose(event.error));
    stream.addEventListener('message', (event) => {
      // Copy once into plain memory: libp2p hands out lists of views into shared buffers.
      const chunk = event.data instanceof Uint8Array ? event.data : event.data.subarray();
      if (!this.push(chunk)) this.#pause();
    });
    if (stream.readableEnded) queueMicrotask(() => this.#onEnd());
    if (stream.status !== 'open' && stream.status !== 'closing') queueMicrotask(() => this.#onClose(undefined));
  }

  override _read(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#stream.readStatus === 'paused') this.#stream.resume();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#send(chunk, callback);
  }

  override _writev(chunks: { chunk: Uint8Array }[], callback: (error?: Error | null) => void): void {
    this.#send(Buffer.concat(chunks.map(({ chunk }) => chunk)), callback);
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#stream.close().then(
      () => callback(),
      (error: unknown) => callback(error instanceof Error ? error : lost()),
    );
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const clean = error === null && this.#endPushed && this.writableFinished;
    if (!clean && this.#stream.status !== 'closed') this.#stream.abort(error ?? new Error('destroyed'));
    callback(error);
  }

  #send(bytes: Uint8Array, callback: (error?: Error | null) => void): void {
    const stream = this.#stream;
    if (stream.writeStatus !== 'writable') {
      callback(lost());
      return;
    }
    try {
      if (stream.send(bytes)) {
        callback();
        return;
      }
    } catch (error) {
      callback(error instanceof Error ? error : lost());
      return;
    }
    const settle = (error?: Error): void => {
      stream.removeEventListener('drain', onRoom);
      stream.removeEventListener('idle', onRoom);
      stream.removeEventListener('close', onClose);
      callback(error);
    };
    // `drain` only says that trying again is worthwhile. Wait until the bytes are gone, so that no more than one chunk waits.
    const onRoom = (): void => {
      queueMicrotask(() => {
        if (settled || stream.writeBufferLength > 0) return;
        settled = true;
        settle();
      });
    };
    const onClose = (): void => {
      if (settled) return;
      settled = true;
      settle(lost());
    };
    let settled = false;
    stream.addEventListener('drain', onRoom);
    stream.addEventListener('idle', onRoom);
    stream.addEventListener('close', onClose);
  }

  #pause(): void {
    this.#paused = true;
    if (this.#stream.readStatus === 'readable') this.#stream.pause();
  }

  #onEnd(): void {
    if (this.#endPushed || this.destroyed) return;
    if (!this.#finSeen) {
      this.destroy(lost());
      return;
    }
    this.#endPushed = true;
    this.push(null);
  }

  #onClose(error: Error | undefined): void {
    if (this.destroyed) return;
    if (error !== undefined) {
      this.destroy(error);
    } else if (!this.#finSeen || !(this.writableEnded || this.writableFinished)) {
      this.destroy(lost());
    }
    // Closed by both sides: what is still buffered is delivered, then `end` follows.
  }
}

function lost(): DtkdError {
  return new DtkdError('PEER_AWAY', 'the connection to the peer was lost');
}
