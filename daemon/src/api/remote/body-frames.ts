import { encodeFrame } from '../../../../protocol/frames.ts';
import { REMOTE_BODY_CHUNK_BYTES } from '../../../../protocol/remote-api.ts';

/** A body, or a part of it, cut into frames. */
export function bodyFrames(bytes: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let start = 0; start < bytes.length; start += REMOTE_BODY_CHUNK_BYTES) {
    frames.push(encodeFrame(bytes.subarray(start, start + REMOTE_BODY_CHUNK_BYTES)));
  }
  return frames;
}
