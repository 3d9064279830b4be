import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nearMiss } from '../../../protocol/text/near-miss.ts';

describe('a name that was mistyped', () => {
  it.each([
    ['start', ['Stop', 'Start'], 'Start'],
    ['Strat', ['Stop', 'Start'], 'Start'],
    ['Sttart', ['Stop', 'Start'], 'Start'],
    ['prot', ['host', 'port'], 'port'],
    ['osfamliy', ['osname', 'osfamily'], 'osfamily'],
    ['a', ['b'], undefined],
    ['x', ['xy'], undefined],
    ['Restart', ['Start', 'Stop'], 'Start'],
    ['frobnicate', ['Start', 'Stop'], undefined],
    ['', ['a'], undefined],
  ])('%s of %j', (name, candidates, expected) => {
    expect(nearMiss(name, candidates)).toBe(expected);
  });

  it('is found again by any one slip', () => {
    const name = fc.string({ unit: fc.constantFrom(...'abcdefgh'), minLength: 5, maxLength: 20 });
    fc.assert(
      fc.property(name, fc.nat(19), fc.constantFrom('a', 'z', ''), (right, at, put) => {
        const place = at % right.length;
        const wrong = right.slice(0, place) + put + right.slice(place + 1);
        expect(nearMiss(wrong, ['quite-something-else', right])).toBe(right);
      }),
    );
  });

  it('costs little, whatever is asked', () => {
    expect(nearMiss('x'.repeat(10_000), ['y'.repeat(10_000)])).toBeUndefined();
  });
});
