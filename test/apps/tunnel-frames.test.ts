import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StreamChannel } from '../../daemon/src/apps/channel/stream-channel.ts';
import { readFrame } from '../../daemon/src/apps/tunnel/frames.ts';
import { encodeCbor } from '../../protocol/encoding/cbor.ts';
import { FRAME_HEADER_BYTES } from '../../protocol/encoding/frames.ts';
import { DtkdError } from '../../protocol/errors.ts';
import {
  checkTunnelAnswer,
  decodeLaneAnswer,
  decodeLaneRequest,
  decodeTunnelRequest,
  encodeLaneGrant,
  encodeLaneRequest,
  encodeRefusal,
  encodeTunnelAccepted,
  encodeTunnelRequest,
} from '../../protocol/peers/tunnel.ts';
import { streamPair } from './memory-mesh.ts';

const payload = (frame: Uint8Array) => frame.subarray(FRAME_HEADER_BYTES);

describe('tunnel frames', () => {
  it('come back as they went', () => {
    const certificate = new Uint8Array(32).fill(1);
    const ticket = new Uint8Array(32).fill(2);
    expect(decodeTunnelRequest(payload(encodeTunnelRequest({ app: 'u', name: 'n' })))).toEqual({ app: 'u', name: 'n' });
    expect(Buffer.from(decodeLaneRequest(payload(encodeLaneRequest({ certificate }))).certificate)).toEqual(Buffer.from(certificate));
    expect(Buffer.from(decodeLaneAnswer(payload(encodeLaneGrant({ certificate, ticket }))).ticket)).toEqual(Buffer.from(ticket));
    expect(() => checkTunnelAnswer(payload(encodeTunnelAccepted()))).not.toThrow();
    const refusal = payload(encodeRefusal(new DtkdError('NOT_FOUND', 'no such app')));
    expect(() => checkTunnelAnswer(refusal)).toThrow(expect.objectContaining({ code: 'NOT_FOUND', message: 'no such app' }));
    expect(() => decodeLaneAnswer(refusal)).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
  });

  it('are refused when they are anything else, with a code and nothing but', () => {
    const short = encodeCbor({ certificate: new Uint8Array(31) });
    expect(() => decodeLaneRequest(short)).toThrow(expect.objectContaining({ code: 'FRAME_INVALID' }));
    const strange = encodeCbor({ ok: false, code: 'MADE_UP', message: 'm' });
    expect(() => checkTunnelAnswer(strange)).toThrow(expect.objectContaining({ code: 'UNAVAILABLE' }));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        for (const decode of [decodeTunnelRequest, checkTunnelAnswer, decodeLaneRequest, decodeLaneAnswer]) {
          try {
            decode(bytes);
          } catch (error) {
            if (!(error instanceof DtkdError)) return false;
          }
        }
        return true;
      }),
    );
  });

  it('are read off a stream, and no byte more', async () => {
    const [near, far] = streamPair();
    const channel = new StreamChannel(far);
    const frame = encodeTunnelRequest({ app: 'u', name: 'n' });
    near.write(frame.subarray(0, 3));
    near.write(Buffer.concat([frame.subarray(3), Buffer.from('rest')]));
    expect(decodeTunnelRequest(await readFrame(channel, 60_000))).toEqual({ app: 'u', name: 'n' });
    const rest = await new Promise<string>((resolve) => {
      channel.attach({ onData: (chunk) => resolve(chunk.toString()), onEnd: () => {}, onDrain: () => {}, onClose: () => {} });
      channel.resume();
    });
    expect(rest).toBe('rest');
  });

  it.each([
    ['too long', [0, 0, 0x20, 0], 'FRAME_TOO_LARGE'],
    ['cut short', [0, 0, 0, 9, 1], 'FRAME_INVALID'],
    ['late', [], 'TIMEOUT'],
  ])('are refused when %s', async (_name, bytes, code) => {
    const [near, far] = streamPair();
    const reading = readFrame(new StreamChannel(far), code === 'TIMEOUT' ? 10 : 60_000);
    near.write(Buffer.from(bytes));
    if (code === 'FRAME_INVALID') near.end();
    await expect(reading).rejects.toMatchObject({ code });
    expect(far.destroyed).toBe(true);
  });
});
