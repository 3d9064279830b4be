import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Round } from '../../../daemon/src/mesh/domain/round.ts';

/** Numbers from 0 to below 1, as Math.random gives them. */
const draws = fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }));

it('takes everybody once in each round, in whatever order', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(), { minLength: 1, maxLength: 12 }), draws, (present, random) => {
      const round = new Round<number>(() => random.next().value ?? 0);
      for (let turn = 0; turn < 3; turn += 1) {
        const taken = present.map(() => round.next(present));
        expect(taken.sort()).toEqual([...present].sort());
      }
    }),
  );
});

it('takes who comes within the same round, and forgets who goes', () => {
  const round = new Round<string>(() => 0);
  expect([round.next(['a', 'b']), round.next(['a', 'b', 'c']), round.next(['a', 'b', 'c'])]).toEqual(['a', 'b', 'c']);
  expect(round.next(['b', 'c'])).toBe('b');
  // `c` is still to come in this round, and `a`, which was away, is back.
  expect([round.next(['a', 'b', 'c']), round.next(['a', 'b', 'c'])]).toEqual(['a', 'c']);
});

it('passes over who is not to be taken, without taking the others more often', () => {
  const round = new Round<string>(() => 0);
  const all = ['a', 'b', 'c'];
  const taken = Array.from({ length: 4 }, () => round.next(all, (each) => each !== 'b'));
  expect(taken).toEqual(['a', 'c', 'a', 'c']);
  expect(round.next(all, () => false)).toBeUndefined();
});

it('has nobody to take where nobody is', () => {
  expect(new Round<string>().next([])).toBeUndefined();
});
