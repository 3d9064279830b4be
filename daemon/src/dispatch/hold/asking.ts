/** Sends one request of `/dtkd/hold` and reads its answer. */
import { decodeCbor, encodeCbor } from '../../../../protocol/encoding/cbor.ts';
import { encodeFrame } from '../../../../protocol/encoding/frames.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { HOLD_PROTOCOL, type HoldAnswer, type HoldRequest, holdAnswer, MAX_HOLD_FRAME_BYTES } from '../../../../protocol/orders/hold.ts';
import { within } from '../../signals/within.ts';
import { FrameReader } from '../../streams/frame-reader.ts';
import type { Members } from '../dispatch.types.ts';
import { ANSWER_MS, OPEN_MS } from './limits.ts';

/**
 * Asks a member. `before` runs once the member can be reached, before the request is sent. Errors: PEER_AWAY, TIMEOUT, FRAME_INVALID,
 * FRAME_TOO_LARGE, and those of `before`.
 */
export async function askHold(
  members: Pick<Members, 'open'>,
  to: { domain: string; key: string },
  request: HoldRequest,
  signal: AbortSignal,
  { timeoutMs, before }: { timeoutMs?: number | undefined; before?: (() => void | Promise<void>) | undefined } = {},
): Promise<HoldAnswer> {
  const limit = within(timeoutMs ?? OPEN_MS, signal);
  const stream = await members.open(to, HOLD_PROTOCOL, limit);
  const abort = () => stream.destroy(new DtkdError('UNAVAILABLE', 'the daemon is stopping'));
  signal.addEventListener('abort', abort, { once: true });
  // Errors surface when the stream is read.
  stream.on('error', () => undefined);
  try {
    await before?.();
    stream.end(encodeFrame(encodeCbor(request)));
    const frame = await new FrameReader(stream, MAX_HOLD_FRAME_BYTES).next(timeoutMs ?? ANSWER_MS);
    if (frame === undefined) throw new DtkdError('PEER_AWAY', 'the member ended without an answer');
    return decodeCbor(frame, holdAnswer, 'an answer about a held order');
  } finally {
    signal.removeEventListener('abort', abort);
    stream.destroy();
  }
}
