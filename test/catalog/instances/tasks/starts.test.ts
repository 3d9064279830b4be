import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Starts } from '../../../../daemon/src/catalog/instances/tasks/starts.ts';

describe('starting commands of a task', () => {
  it('takes its turns in order, so many at a time, whatever becomes of each', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(fc.boolean(), { maxLength: 12 }), async (atATime, fails) => {
        const starts = new Starts(atATime);
        const begun: number[] = [];
        let now = 0;
        let most = 0;
        const results = await Promise.allSettled(
          fails.map((fail, at) =>
            starts.turn(async () => {
              begun.push(at);
              now += 1;
              most = Math.max(most, now);
              await new Promise((resolve) => setImmediate(resolve));
              now -= 1;
              if (fail) throw new Error('no');
              return at;
            }),
          ),
        );
        expect(begun).toEqual(fails.map((_, at) => at));
        expect(most).toBe(Math.min(atATime, fails.length));
        expect(results.map(({ status }) => status)).toEqual(fails.map((fail) => (fail ? 'rejected' : 'fulfilled')));
        expect(await starts.turn(async () => 'free')).toBe('free');
      }),
      { numRuns: 50 },
    );
  });
});
