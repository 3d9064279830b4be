import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeHeld, encodeHeld, type Held, nameText, toTell, weightOf } from '../../../daemon/src/dispatch/hold/held.ts';

const key = fc.string().map((text) => createHash('sha256').update(text).digest('hex'));
const name = {
  domain: key,
  target: key,
  starter: key,
  id: key,
  index: fc.nat(1_999),
  notAfter: fc.nat(),
  holders: fc.array(key, { maxLength: 8 }),
};
const held: fc.Arbitrary<Held> = fc.oneof(
  fc.record({ ...name, type: fc.constant('order' as const), bytes: fc.nat(65_536) }),
  fc.record({
    ...name,
    type: fc.constant('cancel' as const),
    signature: fc.uint8Array({ minLength: 64, maxLength: 64 }),
    brought: fc.boolean(),
  }),
);

test('a row says what was held, with its name', () => {
  fc.assert(
    fc.property(held, (one) => {
      const read = decodeHeld(nameText(one), encodeHeld(one));
      expect(read).toMatchObject({ ...one, ...(one.type === 'cancel' ? { signature: expect.anything() } : {}) });
      if (one.type === 'cancel' && read?.type === 'cancel') expect(Uint8Array.from(read.signature)).toEqual(one.signature);
      expect(weightOf(one)).toBeGreaterThan(0);
    }),
  );
});

test('rows that cannot be read are none', () => {
  fc.assert(fc.property(fc.string(), fc.uint8Array({ maxLength: 100 }), (text, bytes) => decodeHeld(text, bytes) === undefined));
});

test('a target has nothing to be told of what is for itself, and hears of all else', () => {
  fc.assert(
    fc.property(held, (one) => {
      expect(toTell(one, one.target)).toEqual([]);
      const told = toTell(one, undefined);
      expect(told.includes(one.target) || (one.type === 'cancel' && one.brought)).toBe(true);
    }),
  );
});
