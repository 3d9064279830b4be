import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PreparedOrder } from '../../../daemon/src/dispatch/target/target.types.ts';
import { from, orderOf, shell, starter, world } from './world.ts';

const ORDERS = 6;

/** What happens to a target: an order comes (again), at its turn or before it, is taken back, or the daemon ends and another begins. */
const event = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ type: fc.constant('order' as const), which: fc.nat(ORDERS - 1), times: fc.integer({ min: 1, max: 3 }) }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('prepare' as const), which: fc.nat(ORDERS - 1) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('go' as const), which: fc.nat(ORDERS - 1) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('leave' as const), which: fc.nat(ORDERS - 1) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('abort' as const), which: fc.nat(ORDERS - 1) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('crash' as const) }) },
);

/** It was let go of before: it did not start. */
function letGo(error: unknown): void {
  expect(error).toMatchObject({ code: 'UNAVAILABLE' });
}

describe('whatever happens', () => {
  it('no order is started twice, and none that was not started succeeds', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 3, maxLength: 14 }), fc.integer({ min: 1, max: 3 }), async (events, concurrency) => {
        const site = await world({ policy: { limits: { concurrency } } });
        try {
          const marker = join(site.directory, 'marker');
          const orders = Array.from({ length: ORDERS }, (_, at) => orderOf({ work: shell(`echo ${at} >>${marker}`) }));
          const ready = new Map<number, PreparedOrder>();
          for (const one of events) {
            if (one.type === 'crash') await site.crash();
            else if (one.type === 'prepare') {
              const order = orders[one.which]?.bytes ?? new Uint8Array();
              // what is known already cannot be made ready
              await site.target.prepare(from(site), { order }).then(
                (prepared) => ready.set(one.which, prepared),
                () => undefined,
              );
            } else if (one.type === 'go') await ready.get(one.which)?.go().catch(letGo);
            else if (one.type === 'leave') await ready.get(one.which)?.leave();
            else if (one.type === 'abort') {
              await site.target.cancelled(starter(site), orders[one.which] ?? { id: '', index: 0 });
            } else {
              const order = orders[one.which]?.bytes ?? new Uint8Array();
              await Promise.all(Array.from({ length: one.times }, () => site.target.accept(from(site), { order })));
            }
          }
          const ends = await Promise.all(
            orders.map(async ({ id }) =>
              Promise.all((await site.target.find({ type: 'operator', name: 'operator' }, id)).map(({ ended }) => ended)),
            ),
          );
          const started = (await readFile(marker, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');
          expect(new Set(started).size).toBe(started.length);
          for (const [at, [part]] of ends.entries()) {
            if (part?.outcome === 'succeeded') expect(started).toContain(String(at));
            if (part === undefined || part.outcome === 'skipped' || part.outcome === 'refused') expect(started).not.toContain(String(at));
          }
        } finally {
          await site.close();
        }
      }),
      { numRuns: 20 },
    );
  });
});
