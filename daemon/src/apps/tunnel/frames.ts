import { FRAME_HEADER_BYTES } from '../../../../protocol/encoding/frames.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { MAX_TUNNEL_FRAME_BYTES } from '../../../../protocol/peers/tunnel.ts';
import { type Channel, type ChannelSink, IDLE_SINK } from '../channel/channel.ts';

/**
 * Reads from a channel until `wanted` says how many bytes are needed (negative: not known yet) and they are there; then pauses it and puts
 * back what came after them. Aborts the channel if they do not come in time or are invalid. Errors: FRAME_INVALID, FRAME_TOO_LARGE,
 * TIMEOUT.
 */
function readFrom(channel: Channel, timeoutMs: number, wanted: (bytes: Buffer) => number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let bytes: Buffer | undefined;
    const fail = (error: DtkdError) => {
      clearTimeout(timer);
      channel.attach(IDLE_SINK);
      channel.abort();
      reject(error);
    };
    const timer = setTimeout(() => fail(new DtkdError('TIMEOUT', 'the other side did not send the next frame in time')), timeoutMs);
    const sink: ChannelSink = {
      onData: (chunk) => {
        bytes = bytes === undefined ? chunk : Buffer.concat([bytes, chunk]);
        let size: number;
        try {
          size = wanted(bytes);
        } catch (error) {
          fail(error instanceof DtkdError ? error : new DtkdError('FRAME_INVALID', 'the frame is not valid'));
          return;
        }
        if (size < 0 || bytes.length < size) return;
        clearTimeout(timer);
        channel.pause();
        channel.attach(IDLE_SINK);
        if (bytes.length > size) channel.unshift(bytes.subarray(size));
        resolve(bytes.subarray(0, size));
      },
      onEnd: () => fail(new DtkdError('FRAME_INVALID', 'the stream ended too early')),
      onDrain: () => undefined,
      onClose: () => fail(new DtkdError('FRAME_INVALID', 'the stream closed too early')),
    };
    channel.attach(sink);
    channel.resume();
  });
}

/** The next `size` bytes of a channel. */
export function readBytes(channel: Channel, size: number, timeoutMs: number): Promise<Buffer> {
  return readFrom(channel, timeoutMs, () => size);
}

/** The payload of one frame. */
export async function readFrame(channel: Channel, timeoutMs: number): Promise<Buffer> {
  const frame = await readFrom(channel, timeoutMs, (bytes) => {
    if (bytes.length < FRAME_HEADER_BYTES) return -1;
    const length = bytes.readUInt32BE(0);
    if (length > MAX_TUNNEL_FRAME_BYTES) throw new DtkdError('FRAME_TOO_LARGE', 'the frame is larger than a tunnel allows');
    return FRAME_HEADER_BYTES + length;
  });
  return frame.subarray(FRAME_HEADER_BYTES);
}
