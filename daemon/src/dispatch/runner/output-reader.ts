/**
 * Reads one pipe of a process on the event loop (without blocking a thread), masks secrets, and passes on chunks of at most
 * OUTPUT_CHUNK_BYTES. Reads no faster than chunks are taken, and lets other work run in between. If the process has ended while others
 * still hold the pipe open, it reads what is there and lets go: later output is discarded, so that its writers can go on.
 */
import { Socket } from 'node:net';
import { OUTPUT_CHUNK_BYTES } from '../../../../protocol/orders/records.ts';
import type { Masker } from './masks.ts';
import { createShare } from './turns.ts';

/** How long a pipe that others still hold open must be quiet before it counts as read to the end. */
const QUIET_MS = 200;
/**
 * The largest pipe buffer (Linux: fs.pipe-max-size). Once this much has been read after the end of the process, everything that it wrote
 * itself is here.
 */
const PIPE_BYTES = 1024 * 1024;

/** How long to wait for the rest of a possible secret before reading stops. */
const HELD_MS = 100;
/** After this many bytes from a process that was left behind, discarding pauses, so that a flood is slowed down. */
const DRAIN_BYTES = 128 * 1024;
const DRAIN_REST_MS = 100;

/** Shared by all readers: what is kept is copied before the next read. */
const buffer = Buffer.allocUnsafe(OUTPUT_CHUNK_BYTES);

export interface OutputReader {
  /** True once all others have closed the pipe and everything was passed on, even if it was not taken yet. */
  readonly atEnd: boolean;
  /** Settles when everything was taken, or the reader has let go. */
  readonly done: Promise<'ended' | 'left'>;
  /** Tells that the process has ended: do not wait for others that hold the pipe open. */
  finish(): void;
  /** Lets go now: further output is discarded. */
  leave(): void;
  /** Settles when this end of the pipe is closed. */
  readonly closed: Promise<void>;
  /**
   * Stops reading; unread bytes stay in the pipe if somebody else holds it open. In the middle of a possible secret it goes on for a
   * moment, so that the secret is not split in two.
   */
  stop(): void;
}

/** Starts reading. Takes over the descriptor. */
export function readOutput(descriptor: number, masker: Masker, output: (chunk: Buffer) => void | Promise<void>): OutputReader {
  const { promise: done, resolve } = Promise.withResolvers<'ended' | 'left'>();
  let atEnd = false;
  let stopped = false;
  let closed = false;
  const share = createShare();
  let drained = 0;
  let sinceFinish: number | undefined;
  let quiet: NodeJS.Timeout | undefined;
  let stopping: NodeJS.Timeout | undefined;
  /** Chunks that were not taken yet, and whether this reader has used up its share of the turn. */
  let holding = 0;
  let resting = false;

  const settle = (how: 'ended' | 'left'): void => {
    clearTimeout(quiet);
    clearTimeout(stopping);
    stopped = true;
    resolve(how);
  };
  /** Everything written before the end is here; what follows comes from others. */
  const hasEnough = (): boolean => !stopped && sinceFinish !== undefined && sinceFinish >= PIPE_BYTES;
  const release = (): void => {
    if (holding > 0 || resting) return;
    if (!closed && hasEnough()) letGo();
    if (closed) end();
    else if (!socket.destroyed) socket.resume();
  };
  const hand = (bytes: Buffer): void => {
    for (let at = 0; at < bytes.length; at += OUTPUT_CHUNK_BYTES) {
      let taken: void | Promise<void>;
      try {
        taken = output(bytes.subarray(at, at + OUTPUT_CHUNK_BYTES));
      } catch {
        continue;
      }
      if (taken === undefined) continue;
      holding += 1;
      const free = (): void => {
        holding -= 1;
        release();
      };
      taken.then(free, free);
    }
  };
  const end = (): void => {
    if (stopped) return;
    if (!atEnd) {
      atEnd = true;
      hand(masker.end());
    }
    if (holding === 0) settle('ended');
  };
  const drain = (count: number): boolean => {
    drained += count;
    if (drained < DRAIN_BYTES) return true;
    drained = 0;
    setTimeout(() => socket.resume(), DRAIN_REST_MS).unref();
    return false;
  };
  const onBytes = (count: number): boolean => {
    if (stopped) return drain(count);
    hand(masker.push(buffer.subarray(0, count)));
    if (stopping !== undefined && masker.held === 0) halt();
    if (sinceFinish !== undefined) {
      sinceFinish += count;
      if (hasEnough()) {
        // It lets go once that is taken.
        if (holding > 0) return false;
        letGo();
        return drain(count);
      }
      watchQuiet();
    }
    resting ||= share.spend(count, () => {
      resting = false;
      release();
    });
    return holding === 0 && !resting;
  };
  const watchQuiet = (): void => {
    clearTimeout(quiet);
    quiet = setTimeout(() => {
      if (stopped) return;
      if (holding > 0 || resting) watchQuiet();
      else letGo();
    }, QUIET_MS);
  };
  const halt = (): void => {
    hand(masker.end());
    stopped = true;
    clearTimeout(quiet);
    clearTimeout(stopping);
    socket.destroy();
  };
  const letGo = (): void => {
    hand(masker.end());
    settle('left');
    socket.unref();
  };

  const socket = new Socket({
    fd: descriptor,
    readable: true,
    writable: false,
    onread: { buffer, callback: onBytes },
  });
  const { promise: isClosed, resolve: resolveClosed } = Promise.withResolvers<void>();
  const onClosed = (): void => {
    closed = true;
    release();
  };
  socket.once('end', onClosed);
  // A pipe that cannot be read counts as ended.
  socket.once('error', onClosed);
  socket.once('close', () => {
    closed = true;
    release();
    resolveClosed();
  });
  socket.resume();

  return {
    get atEnd() {
      return atEnd;
    },
    done,
    closed: isClosed,
    finish() {
      if (stopped || sinceFinish !== undefined) return;
      sinceFinish = 0;
      watchQuiet();
    },
    leave() {
      if (!stopped) letGo();
    },
    stop() {
      if (stopped) socket.destroy();
      else if (masker.held === 0) halt();
      else stopping ??= setTimeout(halt, HELD_MS);
    },
  };
}
