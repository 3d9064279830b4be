import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { decodeCbor, encodeCbor } from '../../../protocol/encoding/cbor.ts';
import { DtkdError } from '../../../protocol/errors.ts';

const anything = z.unknown();
const PROTO = Buffer.from('__proto__').toString('hex');

describe('CBOR', () => {
  it('returns what was encoded', () => {
    const json = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.string(),
        fc.integer(),
        fc.maxSafeInteger(),
        fc.double({ noNaN: true }),
        fc.boolean(),
        fc.constant(null),
        fc.uint8Array({ maxLength: 40 }),
        fc.array(tie('value'), { maxLength: 5 }),
        fc.dictionary(
          fc.string().filter((key) => key !== '__proto__'),
          tie('value'),
          { maxKeys: 5, noNullPrototype: true },
        ),
      ),
    })).value;
    fc.assert(
      fc.property(json, (value) => {
        const decoded = decodeCbor(encodeCbor(value), anything, 'value');
        expect(encodeCbor(decoded)).toEqual(encodeCbor(value));
      }),
    );
  });

  it.each([
    ['one byte', '00', 0],
    ['eight bytes where fewer would do', '1b0000000000000007', 7],
    ['eight bytes', '1b0000019b76daa800', 0x19b76daa800],
    ['eight bytes, the largest', '1b001fffffffffffff', Number.MAX_SAFE_INTEGER],
    ['a double, as this encoder writes what four bytes cannot hold', 'fb4279b76daa800000', 0x19b76daa800],
    ['four bytes, negative', '3affffffff', -(2 ** 32)],
  ])('takes an integer in any of its forms: %s', (_name, hex, number) => {
    expect(decodeCbor(Uint8Array.from(Buffer.from(hex, 'hex')), z.number().int(), 'frame')).toBe(number);
  });

  it('takes the same names in different maps', () => {
    const value = { a: { a: 1 }, b: [{ a: 2 }, { a: 3 }] };
    expect(decodeCbor(encodeCbor(value), anything, 'frame')).toEqual(value);
  });

  it('refuses hostile bytes with FRAME_INVALID and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decodeCbor(bytes, anything, 'frame');
        } catch (error) {
          expect(error).toBeInstanceOf(DtkdError);
          expect((error as DtkdError).code).toBe('FRAME_INVALID');
        }
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['an array that claims 4 billion items', '9affffffff'],
    ['a map that claims 4 billion pairs', 'baffffffff'],
    ['a string longer than the frame', '7a7fffffff61'],
    ['an indefinite array', '9f01ff'],
    ['a tag', 'c249010000000000000000'],
    ['leftover bytes', '0101'],
    ['nesting', `${'81'.repeat(40)}01`],
    ['nothing', ''],
    ['a field that would change what the object inherits', `a169${PROTO}a16178f5`],
    ['one within, with a length that is longer than it has to be', `a1616181a17809${PROTO}f4`],
    ['a field whose name is a list of that text', `a18169${PROTO}f4`],
    ['a field whose name is a number', 'a101f4'],
    ['a field that is there twice', 'a2616101616102'],
    ['one within, the second time with a longer length than it has to have', '81a261610178016102'],
    ['a field whose name is not UTF-8', 'a161ff01'],
    ['an integer that no number holds', '1b0020000000000000'],
    ['a negative integer of eight bytes', '3b00000192aabbccdd'],
  ])('refuses %s', (_name, hex) => {
    expect(() => decodeCbor(Uint8Array.from(Buffer.from(hex, 'hex')), anything, 'frame')).toThrow(/frame is not valid CBOR/);
  });

  it.each([2, 32, 33, 500])('finds a field that is there twice among %i, and none where all differ', (count) => {
    const within = { a: 1, b: { a: 1 } };
    const names = Array.from({ length: count }, (_, index) => `f${String(index).padStart(3, '0')}`);
    const whole = encodeCbor(Object.fromEntries(names.map((name) => [name, within])));
    expect(decodeCbor(whole, anything, 'frame')).toHaveProperty(names.at(-1) ?? '', within);
    const last = Buffer.from(names.at(-1) ?? '');
    const twice = Buffer.from(whole);
    last.copy(twice, twice.indexOf(names[count >> 2] ?? ''));
    expect(() => decodeCbor(Uint8Array.from(twice), anything, 'frame')).toThrow(`the field "${last}" is there twice`);
  });
});
