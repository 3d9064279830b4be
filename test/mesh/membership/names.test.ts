import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Claim, showNames } from '../../../daemon/src/mesh/membership/names.ts';
import { isDnsLabel, parsePeerKey } from '../../../protocol/ids.ts';

function claim(key: string, name: string, options: { bound?: number; replaces?: number } = {}): Claim {
  const stamp = (time: number | undefined) => (time === undefined ? undefined : { time, id: key });
  return { key: parsePeerKey(key.padEnd(64, '0')), name, bound: stamp(options.bound), replaces: stamp(options.replaces) };
}

function shown(claims: readonly Claim[], reserved: string[] = []): string[] {
  const table = showNames(claims, new Set(reserved));
  return claims.map(({ key }) => `${table.shown.get(key)?.displayName}${table.shown.get(key)?.ambiguous ? '?' : ''}`);
}

describe('names to show', () => {
  it('are bare where one claims them', () => {
    expect(shown([claim('aa', 'web'), claim('bb', 'db')])).toEqual(['web', 'db']);
  });

  it('have a suffix of the key where several do', () => {
    expect(shown([claim('aa', 'web'), claim('bb', 'web')])).toEqual(['web-aa0000?', 'web-bb0000?']);
  });

  it('go to whom the root bound first', () => {
    expect(shown([claim('aa', 'web'), claim('bb', 'web', { bound: 5 }), claim('cc', 'web', { bound: 3 })])).toEqual([
      'web-aa0000',
      'web-bb0000',
      'web',
    ]);
  });

  it('go to the latest that was granted to replace the others', () => {
    expect(shown([claim('aa', 'web', { bound: 1, replaces: 4 }), claim('bb', 'web', { replaces: 9 })])).toEqual(['web-aa0000', 'web']);
  });

  it('that are reserved go to nobody without the root', () => {
    expect(shown([claim('aa', 'web')], ['web'])).toEqual(['web-aa0000?']);
    expect(shown([claim('aa', 'web', { bound: 1 })], ['web'])).toEqual(['web']);
    expect(shown([claim('aa', 'web', { replaces: 1 })], ['web'])).toEqual(['web']);
  });

  it('are not taken from somebody by a name that looks like his with the suffix, nor by a key that begins alike', () => {
    const rivals = [claim('aa', 'web'), claim('bb', 'web')];
    expect(shown([...rivals, claim('cc', 'web-aa0000')])).toEqual(['web-aa0000000000?', 'web-bb0000?', 'web-aa0000']);
    expect(shown([claim('aa0000', 'web'), claim('aa00001', 'web')])).toEqual(['web-aa0000000000?', 'web-aa0000100000?']);
    const long = 'n'.repeat(63);
    expect(shown([claim('aa', long), claim('bb', long)])).toEqual([`${'n'.repeat(56)}-aa0000?`, `${'n'.repeat(56)}-bb0000?`]);
  });

  it('are unique DNS labels whatever is claimed', () => {
    const hex = fc.constantFrom('a', 'b').chain((a) => fc.constantFrom('0', '1').map((b) => a + b));
    const claims = fc.uniqueArray(
      fc.record({
        key: fc.tuple(hex, hex).map((pair) => pair.join('')),
        name: fc.constantFrom('web', 'web-a00000', 'web-a0a000', 'db', 'web-a0a000000000'),
        bound: fc.option(fc.nat(3), { nil: undefined }),
        replaces: fc.option(fc.nat(3), { nil: undefined }),
      }),
      { selector: ({ key }) => key, maxLength: 12 },
    );
    fc.assert(
      fc.property(claims, fc.subarray(['web', 'db']), (raw, reserved) => {
        const made = raw.map(({ key, name, bound, replaces }) =>
          claim(key, name, { ...(bound === undefined ? {} : { bound }), ...(replaces === undefined ? {} : { replaces }) }),
        );
        const table = showNames(made, new Set(reserved));
        const names = made.map(({ key }) => table.shown.get(key)?.displayName ?? '');
        expect(new Set(names).size).toBe(made.length);
        expect(names.every(isDnsLabel)).toBe(true);
        const reversed = showNames([...made].reverse(), new Set(reserved));
        expect(made.map(({ key }) => reversed.shown.get(key)?.displayName)).toEqual(names);
      }),
      { numRuns: 500 },
    );
  });
});
