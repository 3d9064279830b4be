import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compilePattern } from '../../../protocol/definitions/pattern.ts';
import { MAX_MATCHED } from '../../../protocol/definitions/property-value.ts';

async function matches(source: string, text: string): Promise<boolean> {
  const result = await compilePattern(source);
  if ('error' in result) throw new Error(result.error);
  return result.pattern.matches(text);
}

describe('a pattern', () => {
  it('matches the whole text, as RegExp does where both take it', async () => {
    const sources = fc.constantFrom('a|ab', 'a*b?', '[a-c]+', '(ab)+c?', '.', '', 'a{2,3}', '^ab$', 'a\\.b', '(a|b)*c', '[^a]+', '\\d+');
    await fc.assert(
      fc.asyncProperty(sources, fc.string({ unit: fc.constantFrom('a', 'b', 'c', '.', '1'), maxLength: 6 }), async (source, text) => {
        expect(await matches(source, text)).toBe(new RegExp(`^(?:${source})$`).test(text));
      }),
    );
  });

  it('ends, whatever it is and whatever it is tried on', async () => {
    for (const source of ['(a+)+b', '(a|a)*b', '(a*)*b', '(.*)*x', 'a?a?a?a?a?a?a?a?a?a?aaaaaaaaaa']) {
      expect(await matches(source, 'a'.repeat(MAX_MATCHED))).toBe(false);
    }
    expect(await matches('.*', 'a'.repeat(MAX_MATCHED + 1))).toBe(false);
  });

  it.each(['(', '[z-a]', '(?=a)', '\\1', 'a{5000}', '((a{0,50}){0,10}){0,9}', '*'])('is refused: %s', async (source) => {
    expect(await compilePattern(source)).toEqual({ error: expect.any(String) });
  });
});
