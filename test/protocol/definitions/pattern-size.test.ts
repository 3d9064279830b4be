import { RE2JS } from 're2js';
import { describe, expect, it } from 'vitest';
import { writtenOut } from '../../../protocol/definitions/pattern-size.ts';

const MOST = 20_000;

describe('the size of an expression', () => {
  it.each([
    ['web-[0-9]+', 5],
    ['a{3}', 3],
    ['(ab){2,5}c', 11],
    ['((a{10}){10}){10}', 1_000],
    ['a{2,}', 2],
    ['a{0}', 1],
    ['a{,3}x{y}', 9],
    ['[]{9}]{3}[^]{9}]', 4],
    ['[[:alpha:]{9}\\]]{3}', 3],
    ['\\{9}\\x{1F600}{3}\\pL{2}\\p{Greek}', 10],
    ['(a|b){4}', 12],
    [')(a', 1],
  ])('%s', (source, size) => {
    expect(writtenOut(source, MOST)).toBe(size);
  });

  it('is told as more than enough without counting on', () => {
    expect(writtenOut('((((a{1000}){1000}){1000}){1000}){1000}', MOST)).toBeGreaterThan(MOST);
    expect(writtenOut(`(${'a'.repeat(249)}){1000}`, MOST)).toBeGreaterThan(MOST);
    expect(writtenOut('x{1000}'.repeat(585), MOST)).toBeGreaterThan(MOST);
  });

  it('is not much more than that of the program', () => {
    for (const source of [
      '(web|db|mail){1,5}-[0-9]{1,3}\\.example\\.(org|com)',
      '([ab]*a[ab]{12}){20}',
      '(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})(\\.[0-9]{1,3}){3}',
    ]) {
      expect(writtenOut(source, MOST)).toBeLessThan(4 * RE2JS.compile(source).programSize());
    }
  });
});
