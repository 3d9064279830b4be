import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileMasks, MAX_MASKS_BYTES, MIN_MASK_BYTES } from '../../../daemon/src/dispatch/runner/masks.ts';

/** What is meant, without regard to cost. */
function expected(values: readonly Buffer[], text: Buffer): Buffer {
  const covered = new Uint8Array(text.length);
  for (const value of values) {
    if (value.length < MIN_MASK_BYTES) continue;
    for (let at = text.indexOf(value); at >= 0; at = text.indexOf(value, at + 1)) covered.fill(1, at, at + value.length);
  }
  const parts: Buffer[] = [];
  for (let at = 0; at < text.length; at += 1) {
    if (covered[at] === 0) parts.push(text.subarray(at, at + 1));
    else if (at === 0 || covered[at - 1] === 0) parts.push(Buffer.from('***'));
  }
  return Buffer.concat(parts);
}

function masked(values: readonly Buffer[], chunks: readonly Buffer[]): Buffer {
  const masker = compileMasks(values).masker();
  return Buffer.concat([...chunks.map((chunk) => masker.push(chunk)), masker.end()]);
}

function text(values: readonly string[], ...chunks: string[]): string {
  return masked(
    values.map((value) => Buffer.from(value)),
    chunks.map((chunk) => Buffer.from(chunk)),
  ).toString();
}

describe('masks', () => {
  it('replaces values wherever they come whole', () => {
    expect(text(['secret'], 'a secret, two secrets, secre')).toBe('a ***, two ***s, secre');
    expect(text(['secret'], 'se', 'c', 'ret and se', 'cond')).toBe('*** and second');
    expect(text(['secret'])).toBe('');
  });

  it('covers values that overlap, each of them whole', () => {
    expect(text(['abcdef', 'cdefgh'], 'xabcdefghx')).toBe('x***x');
    expect(text(['abcd', 'abcdefgh'], 'abcdefg', '!')).toBe('***efg!');
    expect(text(['bcde', 'abcdefgh'], 'abcdefg', '!')).toBe('a***fg!');
    expect(text(['bcde', 'abcdefgh'], 'abcdefg', 'h!')).toBe('***!');
    expect(text(['aaaa'], 'aaa', 'aaa', 'b')).toBe('***b');
  });

  it('leaves short values alone', () => {
    expect(text(['abc', ''], 'abcabc')).toBe('abcabc');
  });

  it('holds back nothing that cannot become a value', () => {
    const masker = compileMasks([Buffer.from('hunter22')]).masker();
    expect(masker.push(Buffer.from('password: ')).toString()).toBe('password: ');
    expect(masker.push(Buffer.from('hunt')).toString()).toBe('');
    expect(masker.push(Buffer.from('ing\n')).toString()).toBe('hunting\n');
  });

  it('refuses more than it would keep in memory', () => {
    expect(() => compileMasks([Buffer.alloc(MAX_MASKS_BYTES + 1)])).toThrow('the limit is');
  });

  it('answers with copies', () => {
    const chunk = Buffer.from('plain text');
    const shown = compileMasks([]).masker().push(chunk);
    chunk.fill(0);
    expect(shown.toString()).toBe('plain text');
  });

  it('gives the same for any values, bytes and chunks', () => {
    const letters = fc.integer({ min: 97, max: 99 });
    const bytes = (max: number) => fc.array(letters, { maxLength: max }).map((list) => Buffer.from(list));
    fc.assert(
      fc.property(
        fc.array(bytes(9), { maxLength: 6 }),
        fc.array(bytes(12), { maxLength: 12 }),
        fc.array(fc.nat({ max: 5 }), { maxLength: 4 }),
        (values, chunks, planted) => {
          const all = planted.flatMap((index) => [
            values[index % Math.max(values.length, 1)] ?? Buffer.alloc(0),
            ...chunks.slice(index, index + 1),
          ]);
          const stream = [...chunks, ...all];
          expect(masked(values, stream).toString()).toBe(expected(values, Buffer.concat(stream)).toString());
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it('is linear in what comes, also where it nearly matches', () => {
    const value = Buffer.concat([Buffer.alloc(64 * 1024, 'a'), Buffer.from('b')]);
    const shown = masked(
      [value],
      Array.from({ length: 32 }, () => Buffer.alloc(32 * 1024, 'a')),
    );
    expect(shown.length).toBe(1024 * 1024);
  });
});
