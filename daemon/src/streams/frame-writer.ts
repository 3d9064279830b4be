/** Writes frames at the reader's pace. */
import type { Duplex } from 'node:stream';
import { DtkdError } from '../../../protocol/errors.ts';

/** Resolves when there is room for more. Throws TIMEOUT if the reader takes nothing for `stallMs`, PEER_AWAY if it has gone. */
export async function writeFrames(stream: Duplex, frames: readonly Uint8Array[], stallMs: number): Promise<void> {
  if (frames.length === 0) return;
  if (stream.destroyed) throw gone();
  if (!stream.write(frames.length === 1 ? frames[0] : Buffer.concat(frames))) await either(stream, 'drain', stallMs);
}

/** Ends this side; resolves once the transport has taken everything. Errors as above. */
export async function endStream(stream: Duplex, stallMs: number): Promise<void> {
  if (stream.destroyed) throw gone();
  stream.end();
  if (!stream.writableFinished) await either(stream, 'finish', stallMs);
}

async function either(stream: Duplex, event: 'drain' | 'finish', stallMs: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new DtkdError('TIMEOUT', 'the other side has stopped reading')), stallMs);
  const lost = () => reject(gone());
  stream.on(event, resolve).on('close', lost).on('error', lost);
  await promise.finally(() => {
    clearTimeout(timer);
    stream.off(event, resolve).off('close', lost).off('error', lost);
  });
}

function gone(): DtkdError {
  return new DtkdError('PEER_AWAY', 'the connection to the peer was lost');
}
