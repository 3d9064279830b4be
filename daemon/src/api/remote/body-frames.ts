import { encodeFrame } from '../../../../protocol/encoding/frames.ts';
import { REMOTE_BODY_CHUNK_BYTES } from '../../../../protocol/peers/remote.ts';

/** Splits a body, or a part of one, into frames. */
export function bodyFrames(bytes: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let start = 0; start < bytes.length; start += REMOTE_BODY_CHUNK_BYTES) {
    frames.push(encodeFrame(bytes.subarray(start, start + REMOTE_BODY_CHUNK_BYTES)));
  }
  return frames;
}
