/**
 * Frames on a stream: four bytes of big-endian length, then the payload. A length beyond the limit is refused before any of the payload
 * is kept, so a peer can make us hold at most the limit plus one chunk.
 */
import { DtkdError } from '../errors.ts';

/** Bytes of a frame before its payload: the length. */
export const FRAME_HEADER_BYTES = 4;

export function encodeFrame(payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(FRAME_HEADER_BYTES + payload.length);
  new DataView(frame.buffer).setUint32(0, payload.length);
  frame.set(payload, FRAME_HEADER_BYTES);
  return frame;
}

/** Cuts a stream of bytes into frames. */
export interface FrameDecoder {
  /** Takes the next bytes and returns the frames that they complete. Throws FRAME_TOO_LARGE or FRAME_INVALID. */
  push(chunk: Uint8Array): Uint8Array[];
  /** Changes the limit from here on, including for a frame that is half read. Throws FRAME_TOO_LARGE. */
  limit(maxBytes: number): void;
  /** True if no frame is half read. */
  atBoundary(): boolean;
  /** Removes and returns the bytes after the last whole frame, for a stream that continues without frames. */
  rest(): Uint8Array;
}

export function createFrameDecoder(maxBytes: number): FrameDecoder {
  let most = maxBytes;
  let chunks: Uint8Array[] = [];
  let held = 0;
  let wanted: number | undefined;

  function take(count: number): Uint8Array {
    const all = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
    const rest = all.subarray(count);
    chunks = rest.length > 0 ? [rest] : [];
    held = rest.length;
    return all.subarray(0, count);
  }

  function assertSize(size: number): void {
    if (size > most) throw new DtkdError('FRAME_TOO_LARGE', `a frame of ${size} bytes is over the limit of ${most}`);
  }

  return {
    push(chunk) {
      const frames: Uint8Array[] = [];
      if (chunk.length > 0) chunks.push(chunk);
      held += chunk.length;
      for (;;) {
        if (wanted === undefined) {
          if (held < FRAME_HEADER_BYTES) return frames;
          const head = take(FRAME_HEADER_BYTES);
          wanted = new DataView(head.buffer, head.byteOffset, FRAME_HEADER_BYTES).getUint32(0);
          assertSize(wanted);
          if (wanted === 0) throw new DtkdError('FRAME_INVALID', 'an empty frame');
        }
        if (held < wanted) return frames;
        // A copy: the frame must not pin a larger chunk.
        frames.push(Uint8Array.from(take(wanted)));
        wanted = undefined;
      }
    },
    limit(bytes) {
      most = bytes;
      assertSize(wanted ?? 0);
    },
    atBoundary: () => wanted === undefined && held === 0,
    rest: () => take(held),
  };
}
