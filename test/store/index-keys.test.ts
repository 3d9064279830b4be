import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bucketOf, indexedValue, MAX_INDEXED_TEXT, pathPrefix, textsFrom, valueRange } from '../../daemon/src/store/indexes/index-keys.ts';
import { compareText } from '../../protocol/text/text-order.ts';

const PREFIX = pathPrefix('x/dtkd.dev/resources/', 'spec.a');
const ORDERS = ['<', '<=', '>', '>='] as const;
const keyOf = (value: string | number | boolean) => `${bucketOf(PREFIX, indexedValue(value))}ns!name`;
const bytes = (text: string) => Buffer.from(text);
const within = (key: string, { gte, lt }: { gte: string; lt: string }) =>
  bytes(key).compare(bytes(gte)) >= 0 && bytes(key).compare(bytes(lt)) < 0;
const meets = (difference: number, order: (typeof ORDERS)[number]) =>
  ({ '<': difference < 0, '<=': difference <= 0, '>': difference > 0, '>=': difference >= 0 })[order];

const number = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
  fc.constantFrom(0, -0, 1, -1, Number.MIN_VALUE, Number.MAX_VALUE, -Number.MAX_VALUE, Number.EPSILON),
);
const text = fc.string({
  unit: fc.oneof(
    fc.constantFrom('\0', '\x01', '\x02', 'a', 'b', '\uffff', '😀', '\ud800', '\udc00', '\ue000', '\ufffd'),
    fc.string({ unit: 'binary', maxLength: 1 }),
  ),
  maxLength: 6,
});
const longText = fc.oneof(
  text,
  fc
    .tuple(fc.constantFrom('a', '😀', '\0'), fc.integer({ min: MAX_INDEXED_TEXT - 2, max: MAX_INDEXED_TEXT + 2 }), text)
    .map(([unit, times, rest]) => unit.repeat(times) + rest),
);

describe('keys of index rows', () => {
  it('stand in the order of numbers', () => {
    fc.assert(
      fc.property(number, number, (a, b) => {
        expect(Math.sign(bytes(keyOf(a)).compare(bytes(keyOf(b))))).toBe(Math.sign(a - b) + 0);
        for (const order of ORDERS) expect(within(keyOf(a), valueRange(PREFIX, order, b))).toBe(meets(a - b, order));
      }),
    );
  });

  it('stand in the order of texts, and ranges leave none out', () => {
    fc.assert(
      fc.property(longText, longText, (a, b) => {
        const difference = compareText(a.toWellFormed(), b.toWellFormed());
        if (indexedValue(a).exact && indexedValue(b).exact) {
          expect(Math.sign(bytes(keyOf(a)).compare(bytes(keyOf(b))))).toBe(Math.sign(difference));
          for (const order of ORDERS) expect(within(keyOf(a), valueRange(PREFIX, order, b))).toBe(meets(difference, order));
        }
        for (const order of ORDERS) if (meets(difference, order)) expect(within(keyOf(a), valueRange(PREFIX, order, b))).toBe(true);
        if (a.startsWith(b)) expect(within(keyOf(a), textsFrom(PREFIX, b))).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  it('tell numbers, texts and truth values apart', () => {
    const keys = [1, '1', true, 'true', 'b1', false, 0, ''].map(keyOf);
    expect(new Set(keys).size).toBe(keys.length);
    expect(within(keyOf('5'), valueRange(PREFIX, '>', 1))).toBe(false);
    expect(within(keyOf(5), textsFrom(PREFIX, ''))).toBe(false);
    expect(within(keyOf(true), valueRange(PREFIX, '<', 1))).toBe(false);
  });
});
