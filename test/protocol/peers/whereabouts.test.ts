import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import fixture from '../../../protocol/fixtures/whereabouts.json' with { type: 'json' };
import { parsePeerKey } from '../../../protocol/ids.ts';
import { MAX_PEER_ADDRESSES } from '../../../protocol/peers/hello.ts';
import {
  decodeWhereAnswer,
  decodeWhereQuestion,
  encodeWhereAnswer,
  encodeWhereQuestion,
  MAX_WHERE_FRAME_BYTES,
} from '../../../protocol/peers/whereabouts.ts';

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
const hex = (frame: Uint8Array): string => Buffer.from(frame).toString('hex');
const invalid = expect.objectContaining({ code: 'FRAME_INVALID' });

describe('whereabouts', () => {
  it('are written and read as on the wire', () => {
    const question = { key: parsePeerKey(fixture.key) };
    expect(hex(encodeWhereQuestion(question))).toBe(fixture.question);
    expect(decodeWhereQuestion(bytes(fixture.question))).toEqual(question);
    expect(hex(encodeWhereAnswer({ addresses: fixture.addresses }))).toBe(fixture.answer);
    expect(decodeWhereAnswer(bytes(fixture.answer))).toEqual({ addresses: fixture.addresses });
    expect(decodeWhereAnswer(bytes(fixture.unknown))).toEqual({ addresses: [] });
  });

  it('fit their frame at the largest', () => {
    const addresses = Array.from({ length: MAX_PEER_ADDRESSES }, () => `${'a'.repeat(253)}:65535`);
    expect(encodeWhereAnswer({ addresses }).length).toBeLessThanOrEqual(MAX_WHERE_FRAME_BYTES);
    expect(encodeWhereQuestion({ key: parsePeerKey(fixture.key) }).length).toBeLessThanOrEqual(MAX_WHERE_FRAME_BYTES);
  });

  it.each(Object.entries(fixture.badQuestions))('refuse a question: %s', (_, frame) => {
    expect(() => decodeWhereQuestion(bytes(frame))).toThrowError(invalid);
  });

  it.each(Object.entries(fixture.badAnswers))('refuse an answer: %s', (_, frame) => {
    expect(() => decodeWhereAnswer(bytes(frame))).toThrowError(invalid);
  });

  it('refuse whatever else comes with that code alone', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (frame) => {
        expect(() => decodeWhereQuestion(frame)).toThrowError(invalid);
      }),
    );
  });
});
