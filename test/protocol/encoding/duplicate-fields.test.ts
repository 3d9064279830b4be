import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { duplicateFields } from '../../../protocol/encoding/duplicate-fields.ts';

describe('fields that stand twice', () => {
  it('are found wherever they are, by their paths', () => {
    expect(duplicateFields('{"a":1,"a":2}')).toEqual(['a']);
    expect(duplicateFields('{"a":{"b":[{"c":1},{"c":1,"d":{},"c":2}],"b":3}}')).toEqual(['a.b[1].c', 'a.b']);
    expect(duplicateFields('[{"x":1},{"x":1,"x":1,"x":1}]')).toEqual(['[1].x']);
    expect(duplicateFields('{"a":"}","b":"\\"a\\":","a":[]}')).toEqual(['a']);
    expect(duplicateFields('{"\\u0061":1,"a":2}'), 'written otherwise').toEqual(['a']);
    expect(duplicateFields('{"a":[1,"a",{"a":1}],"b":{"a":1}}')).toEqual([]);
  });

  it('are told in bounded number', () => {
    const text = `{${Array.from({ length: 200 }, (_, index) => `"f${index % 100}":1`).join()}}`;
    expect(duplicateFields(text)).toHaveLength(20);
  });

  it('are found after whatever stands between them', () => {
    const awkward = fc.string({ unit: fc.constantFrom('"', '\\', 'a', '{', '}', ',', ':', 'ü') });
    fc.assert(
      fc.property(fc.array(fc.tuple(awkward, awkward)), (fields) => {
        const between = Object.fromEntries(fields.filter(([name]) => name !== 'x'));
        expect(duplicateFields(`{"x":1,"between":${JSON.stringify(between)},"x":2}`)).toEqual(['x']);
        expect(duplicateFields(`{"x":1,"between":${JSON.stringify(between)}}`)).toEqual([]);
      }),
    );
  });

  it('are none in what JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), (text) => {
        expect(duplicateFields(JSON.stringify(JSON.parse(text)))).toEqual([]);
      }),
    );
  });
});
