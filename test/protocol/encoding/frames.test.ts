import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFrameDecoder, encodeFrame } from '../../../protocol/encoding/frames.ts';

describe('frames', () => {
  it('come out as they went in, however the bytes are cut', () => {
    const payloads = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 12 });
    fc.assert(
      fc.property(payloads, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (sent, cuts) => {
        const bytes = Buffer.concat(sent.map(encodeFrame));
        const decoder = createFrameDecoder(300);
        const received: Uint8Array[] = [];
        for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
          const size = cuts[turn % cuts.length] ?? 1;
          received.push(...decoder.push(bytes.subarray(at, at + size)));
          at += size;
        }
        expect(received.map((frame) => Buffer.from(frame))).toEqual(sent.map((frame) => Buffer.from(frame)));
        expect(decoder.atBoundary()).toBe(true);
      }),
    );
  });

  it('are refused by their length, before the payload', () => {
    const decoder = createFrameDecoder(100);
    expect(() => decoder.push(Uint8Array.of(0, 0, 0, 101))).toThrow(expect.objectContaining({ code: 'FRAME_TOO_LARGE' }));
    expect(() => createFrameDecoder(100).push(Uint8Array.of(0xff, 0xff, 0xff, 0xff))).toThrow(
      expect.objectContaining({ code: 'FRAME_TOO_LARGE' }),
    );
    expect(() => createFrameDecoder(100).push(Uint8Array.of(0, 0, 0, 0))).toThrow(expect.objectContaining({ code: 'FRAME_INVALID' }));
  });

  it('may be limited further, also one that is half read', () => {
    const tooLarge = expect.objectContaining({ code: 'FRAME_TOO_LARGE' });
    const decoder = createFrameDecoder(100);
    decoder.limit(10);
    expect(() => decoder.push(Uint8Array.of(0, 0, 0, 11))).toThrow(tooLarge);
    const reading = createFrameDecoder(100);
    reading.push(Uint8Array.of(0, 0, 0, 11, 1));
    reading.limit(11);
    expect(() => reading.limit(10)).toThrow(tooLarge);
  });

  it('give back what follows the last of them', () => {
    const decoder = createFrameDecoder(100);
    const frames = decoder.push(Buffer.concat([encodeFrame(Buffer.from('a')), Buffer.from('xy')]));
    expect(frames).toHaveLength(1);
    expect(decoder.atBoundary()).toBe(false);
    expect(Buffer.from(decoder.rest()).toString()).toBe('xy');
  });
});
