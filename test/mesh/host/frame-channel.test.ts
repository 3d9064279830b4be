import { type Duplex, duplexPair } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { FrameChannel } from '../../../daemon/src/mesh/host/frame-channel.ts';
import { encodeFrame } from '../../../protocol/encoding/frames.ts';

/** As the mesh's own streams, these may fail with nobody listening. */
function pair(): Duplex[] {
  return duplexPair().map((stream) => stream.on('error', () => {}));
}

const FRAME = encodeFrame(Uint8Array.of(1));

describe('a channel of frames', () => {
  it('ends a conversation that takes too long, though each frame comes in time', async () => {
    const [ours, theirs] = pair() as [Duplex, Duplex];
    const channel = new FrameChannel(ours, { maxFrameBytes: 16, timeoutMs: 60_000, totalMs: 100 });
    const dripping = setInterval(() => theirs.write(FRAME), 5);
    try {
      const talk = async (): Promise<never> => {
        for (;;) await channel.read();
      };
      await expect(talk()).rejects.toMatchObject({ code: 'TIMEOUT' });
      expect(ours.destroyed).toBe(true);
    } finally {
      clearInterval(dripping);
    }
  });

  it('ends one whose frame does not come', async () => {
    const [ours, theirs] = pair() as [Duplex, Duplex];
    const channel = new FrameChannel(ours, { maxFrameBytes: 16, timeoutMs: 50 });
    theirs.write(FRAME.subarray(0, 3));
    await expect(channel.read()).rejects.toMatchObject({ code: 'TIMEOUT' });
    expect(ours.destroyed).toBe(true);
  });

  it('gives frames one by one, and then the end', async () => {
    const [ours, theirs] = pair() as [Duplex, Duplex];
    const channel = new FrameChannel(ours, { maxFrameBytes: 16, timeoutMs: 5_000, totalMs: 5_000 });
    theirs.end(Buffer.concat([FRAME, FRAME]));
    expect(await channel.read()).toEqual(Uint8Array.of(1));
    expect(await channel.read()).toEqual(Uint8Array.of(1));
    expect(await channel.read()).toBeUndefined();
  });
});
