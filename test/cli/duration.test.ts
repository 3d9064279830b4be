import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDuration } from '../../cli/input/duration.ts';

describe('parseDuration', () => {
  it.each([
    ['30s', 30_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
    ['1h30m', 5_400_000],
    ['500ms', 500],
    ['1.5h', 5_400_000],
    ['2w', 1_209_600_000],
  ])('reads %s', (text, expected) => {
    expect(parseDuration(text)).toBe(expected);
  });

  it.each(['', '0s', '24', 'h', '1 h', '-1h', '1y', '1h,', '9999999999999999999d', '1e3s'])('refuses "%s"', (text) => {
    expect(() => parseDuration(text)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  });

  it('adds up the parts of any duration', () => {
    const part = fc.record({ amount: fc.integer({ min: 1, max: 9999 }), unit: fc.constantFrom('ms', 's', 'm', 'h', 'd') });
    const size = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (parts) => {
        const text = parts.map(({ amount, unit }) => `${amount}${unit}`).join('');
        expect(parseDuration(text)).toBe(parts.reduce((sum, { amount, unit }) => sum + amount * size[unit], 0));
      }),
    );
  });
});
