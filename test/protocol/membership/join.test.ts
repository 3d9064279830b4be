import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DtkdError } from '../../../protocol/errors.ts';
import { parseDomainId } from '../../../protocol/ids.ts';
import { MAX_ITEMS_BYTES, MAX_JOIN_FRAME_BYTES, MAX_ROTATION_BYTES } from '../../../protocol/limits.ts';
import {
  decodeJoinMessage,
  encodeJoinMessage,
  fromRefusal,
  ItemCollector,
  itemBatches,
  type JoinMessage,
  toRefusal,
  welcomeMessages,
} from '../../../protocol/membership/join.ts';

describe('join messages', () => {
  const messages: JoinMessage[] = [
    { type: 'offer', version: 1, domain: parseDomainId('ab'.repeat(32)), grant: Uint8Array.from([1]), clock: 5, nonce: new Uint8Array(16) },
    { type: 'proof', items: [Uint8Array.from([1]), new Uint8Array(0)], more: true },
    { type: 'enrol', enrolment: Uint8Array.from([1]), signature: new Uint8Array(64), consent: new Uint8Array(64) },
    { type: 'welcome', items: [], more: false },
    { type: 'refusal', code: 'TOKEN_EXPIRED', message: 'too late', next: 'ask', details: '{}' },
  ];

  it.each(messages.map((message) => [message.type, message] as const))('%s is read as it was written', (_type, message) => {
    expect(decodeJoinMessage(encodeJoinMessage(message))).toEqual(message);
  });

  it('refuse anything else with a code', () => {
    expect(() => decodeJoinMessage(new Uint8Array(MAX_JOIN_FRAME_BYTES + 1))).toThrowError(
      expect.objectContaining({ code: 'FRAME_TOO_LARGE' }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(() => decodeJoinMessage(bytes)).toThrowError(expect.objectContaining({ code: 'FRAME_INVALID' }));
      }),
    );
  });

  it('carry any number of items in frames that fit', () => {
    const sizes = fc.array(fc.oneof(fc.nat(600), fc.integer({ min: MAX_ROTATION_BYTES - 10, max: MAX_ROTATION_BYTES })), { maxLength: 20 });
    fc.assert(
      fc.property(sizes, (lengths) => {
        const items = lengths.map((length) => ({ bytes: new Uint8Array(length) }));
        const collector = new ItemCollector();
        const frames = welcomeMessages(items);
        frames.forEach((frame, index) => {
          const encoded = encodeJoinMessage(frame);
          expect(encoded.length).toBeLessThanOrEqual(MAX_JOIN_FRAME_BYTES);
          const received = decodeJoinMessage(encoded);
          if (received.type !== 'welcome') throw new Error('not a welcome');
          expect(collector.add(received)).toBe(index === frames.length - 1);
        });
        expect(collector.items.map(({ length }) => length)).toEqual(lengths);
      }),
      { numRuns: 30 },
    );
    expect(itemBatches([])).toEqual([[]]);
    expect(itemBatches(Array.from({ length: 5000 }, () => ({ bytes: new Uint8Array(1) })))).toHaveLength(3);
  });

  it('are gathered up to a limit', () => {
    const collector = new ItemCollector();
    const frame = { items: [new Uint8Array(MAX_ITEMS_BYTES / 2)], more: true };
    collector.add(frame);
    expect(() => collector.add(frame)).toThrowError(expect.objectContaining({ code: 'FRAME_TOO_LARGE' }));
    const empty = new ItemCollector();
    expect(() => {
      for (;;) empty.add({ items: [], more: true });
    }).toThrowError(expect.objectContaining({ code: 'FRAME_TOO_LARGE' }));
  });
});

describe('refusals', () => {
  it('keep code, sentence, next step and details over the wire', () => {
    const error = new DtkdError('TOKEN_EXPIRED', 'too late', { next: 'ask', details: { expires: 5, who: 'me' } });
    const received = decodeJoinMessage(encodeJoinMessage(toRefusal(error)));
    if (received.type !== 'refusal') throw new Error('not a refusal');
    expect(fromRefusal(received)).toMatchObject({
      code: 'TOKEN_EXPIRED',
      message: 'too late',
      next: 'ask',
      details: { expires: 5, who: 'me' },
    });
  });

  it('tell nothing of what failed inside', () => {
    expect(toRefusal(new Error('secret path'))).toMatchObject({ code: 'INTERNAL', message: expect.not.stringContaining('secret') });
    expect(toRefusal(new DtkdError('INTERNAL', 'secret path'))).toMatchObject({ message: expect.not.stringContaining('secret') });
  });

  it('are cut to their limits, and shown without control characters', () => {
    const long = toRefusal(new DtkdError('NAME_TAKEN', 'x'.repeat(9000), { next: 'y'.repeat(9000), details: { big: 'z'.repeat(9000) } }));
    expect(decodeJoinMessage(encodeJoinMessage(long))).toMatchObject({ message: 'x'.repeat(500), next: 'y'.repeat(500) });
    expect(fromRefusal({ type: 'refusal', code: 'NAME_TAKEN', message: '\u001b[31mred\nline' }).message).toBe(' [31mred line');
    expect(fromRefusal({ type: 'refusal', code: 'NO_SUCH_CODE', message: 'no' }).code).toBe('FORBIDDEN');
    expect(fromRefusal({ type: 'refusal', code: 'REMOVED', message: 'no', details: 'not json' }).details).toEqual({});
  });
});
