import { expect, it } from 'vitest';
import { type Check, failuresOf } from '../../daemon/src/metrics/readiness.ts';

it('tells what the daemon has not, but not of domains, which tell it themselves', async () => {
  const check = (name: string, reason?: string): Check => ({ name, failing: async () => reason });
  expect(await failuresOf([check('store'), check('disk', '0 MiB are free'), check('domains', 'lab: it is not open')])).toEqual([
    'disk: 0 MiB are free; "dtkd doctor" says what to do',
  ]);
});
