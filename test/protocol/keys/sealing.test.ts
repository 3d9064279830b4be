import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SEAL_OVERHEAD_BYTES, seal, unseal } from '../../../protocol/keys/sealing.ts';
import { signingKeyFromSeed } from '../../../protocol/keys/signing.ts';

const mine = signingKeyFromSeed(createHash('sha256').update('mine').digest());
const other = signingKeyFromSeed(createHash('sha256').update('other').digest());

test('the holder of the key opens what was sealed to it, and nobody else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 4_096 }), (bytes) => {
      const sealed = seal(mine.publicKey, bytes);
      expect(sealed.length).toBe(bytes.length + SEAL_OVERHEAD_BYTES);
      expect(unseal(mine.seed, sealed)).toEqual(bytes);
      expect(unseal(other.seed, sealed)).toBeUndefined();
    }),
    { numRuns: 50 },
  );
});

test('the same bytes are never sealed to the same box', () => {
  const bytes = Buffer.from('order');
  expect(seal(mine.publicKey, bytes)).not.toEqual(seal(mine.publicKey, bytes));
});

test('a box of which one bit was changed, or that was cut, does not open', () => {
  const sealed = seal(mine.publicKey, Buffer.from('an order'));
  fc.assert(
    fc.property(fc.nat(sealed.length * 8 - 1), (bit) => {
      const altered = Uint8Array.from(sealed);
      altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      // The highest bit of an X25519 key does not count, but it is authenticated.
      expect(unseal(mine.seed, altered)).toBeUndefined();
    }),
  );
  for (let length = 0; length < sealed.length; length += 1) expect(unseal(mine.seed, sealed.subarray(0, length))).toBeUndefined();
});

test('arbitrary bytes do not open, and do not throw', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => unseal(mine.seed, bytes) === undefined));
});

/** u coordinates of small order (https://cr.yp.to/ecdh.html#validate), with which everybody knows the shared secret. */
const SMALL_U = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
];

test.each(SMALL_U)('a sender key of small order is refused: %s', (u) => {
  const sealed = Buffer.concat([Buffer.from([1]), Buffer.from(u, 'hex'), Buffer.alloc(40)]);
  expect(unseal(mine.seed, sealed)).toBeUndefined();
});

test.each([
  ['the neutral element', `01${'00'.repeat(31)}`],
  ['a point of order 2', `ec${'ff'.repeat(30)}7f`],
  ['a point of order 4', '00'.repeat(32)],
  ['not on the curve', `02${'00'.repeat(31)}`],
  ['too short', 'aabb'],
  ['not hexadecimal', 'xyz'],
])('nothing is sealed to %s', (_what, key) => {
  expect(() => seal(key, Buffer.from('order'))).toThrow(expect.objectContaining({ code: 'KEY_WRONG' }));
});
