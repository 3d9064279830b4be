import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lineDiff } from '../../../../daemon/src/catalog/instances/files/line-diff.ts';

/** As hunks show them. */
function linesOf(text: string): string[] {
  const lines = text === '' ? [] : text.split('\n');
  const last = lines.pop();
  return last === undefined || last === '' ? lines : [...lines, `${last}\\ no line break at the end`];
}

/** Does to the first text what the hunks say. */
function followed(before: readonly string[], hunks: string): string[] {
  const after: string[] = [];
  let at = 0;
  for (const said of hunks.split('\n')) {
    const [, from, to] = /^@@ -(\d+) \+(\d+) @@$/.exec(said) ?? [];
    if (from !== undefined) {
      after.push(...before.slice(at, Number(from) - 1));
      at = Number(from) - 1;
      expect(after).toHaveLength(Number(to) - 1);
      continue;
    }
    if (said[0] !== '-') after.push(said.slice(1));
    if (said[0] === '+') continue;
    expect(before[at]).toBe(said.slice(1));
    at += 1;
  }
  return [...after, ...before.slice(at)];
}

describe('the difference between two texts', () => {
  it('makes the one of the other', () => {
    const text = fc.array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 14 }).map((lines) => lines.join('\n'));
    fc.assert(
      fc.property(text, text, (before, after) => {
        const hunks = lineDiff(before, after) ?? '';
        expect(hunks === '').toBe(before === after);
        expect(followed(linesOf(before), hunks === '' ? '@@ -1 +1 @@' : hunks)).toEqual(linesOf(after));
      }),
      { numRuns: 500 },
    );
  });
});
