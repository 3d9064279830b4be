import fc from 'fast-check';
import { RE2JS } from 're2js';
import { describe, expect, it } from 'vitest';
import { compilePattern } from '../../../protocol/filter/pattern.ts';

describe('a name with dots', () => {
  it('matches what the library would match', async () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'A', 'b', '.', '-', '😀', '\n', 'é'), maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(text, text, fc.boolean(), async (source, tried, ignoreCase) => {
        fc.pre(source.includes('.'));
        const pattern = await compilePattern(source, { ignoreCase });
        if ('error' in pattern) throw new Error(pattern.error);
        expect(pattern.matches(tried)).toBe(RE2JS.compile(source, ignoreCase ? RE2JS.CASE_INSENSITIVE : 0).testExact(tried));
      }),
      { examples: [['..', '😀', false]] },
    );
  });
});
