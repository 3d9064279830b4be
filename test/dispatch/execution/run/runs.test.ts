import { expect, test } from 'vitest';
import type { Run } from '../../../../daemon/src/dispatch/execution/run/run.ts';
import { Runs } from '../../../../daemon/src/dispatch/execution/run/runs.ts';
import { domainId, keyOf } from '../../fake-members.ts';

test('the code that waits is that of queued orders, for targets in the domains that are asked about', () => {
  const [here, elsewhere] = [domainId('here'), domainId('elsewhere')];
  const states = ['queued', 'queued', 'ended'] as const;
  const targets = [here, elsewhere, here].map((domain, index) => ({
    index,
    stage: 0,
    node: 'far',
    key: keyOf('far', domain),
    domain,
    starter: keyOf('desk', domain),
    work: {
      type: 'command',
      owner: keyOf('desk', domain),
      resource: { object: 'r', uid: 'u', model: 'm', type: 'T', name: 'r' },
      command: 'Start',
      options: {},
      code: { 'acme/web': `${index}`.repeat(64) },
    },
  }));
  const spec = { starter: 'desk', user: 'operator', header: '', targets };
  const runs = new Runs();
  runs.add('x', { object: () => ({ spec }), part: (index: number) => ({ state: states[index] }) } as unknown as Run, undefined);
  expect([...runs.waitingCode(new Set([here]))]).toEqual(['0'.repeat(64)]);
  expect([...runs.waitingCode(new Set([here, elsewhere]))]).toEqual(['0'.repeat(64), '1'.repeat(64)]);
  expect([...runs.waitingCode(new Set())]).toEqual([]);
});
