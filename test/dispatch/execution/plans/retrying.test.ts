import { describe, expect, test } from 'vitest';
import { againOf, joined, retriesOfWork } from '../../../../daemon/src/dispatch/execution/plans/retrying.ts';
import type { Plan } from '../../../../daemon/src/dispatch/plan/plan.types.ts';
import type { ExecutionFields, PlannedTarget } from '../../../../protocol/kinds/execution.ts';
import type { Work } from '../../../../protocol/orders/order.ts';
import type { Outcome } from '../../../../protocol/orders/outcome.ts';

const key = 'ab'.repeat(32);
const command = (name: string): Work => ({
  type: 'command',
  owner: key,
  resource: { object: `demo-${name}`, uid: 'u', model: 'demo', type: 'Service', name },
  command: 'Start',
  options: { port: 80, fast: true },
  code: {},
});
const target = (index: number, node: string, work: Work): PlannedTarget => ({
  index,
  stage: 0,
  node,
  key,
  domain: 'd',
  starter: key,
  work,
});
const execution = (targets: PlannedTarget[], ends: (Outcome | undefined)[]): ExecutionFields => ({
  spec: { starter: 'desk', user: 'ops@desk', header: '', targets },
  status: {
    phase: 'Finished',
    parts: ends.map((outcome, index) => ({
      index,
      node: `web${index}`,
      what: '',
      state: outcome === undefined ? 'running' : 'ended',
      outcome,
    })),
  },
});

describe('a retry', () => {
  const targets = [target(0, 'web0', command('db')), target(1, 'web1', command('shop')), target(2, 'web2', command('shop'))];

  test('takes all but what succeeded', () => {
    expect(againOf('ab', execution(targets, ['succeeded', 'unknown', 'skipped'])).map(({ index }) => index)).toEqual([1, 2]);
  });

  test.each<[(Outcome | undefined)[], string]>([
    [['succeeded', undefined, 'failed'], 'CONFLICT'],
    [['succeeded', 'succeeded', 'succeeded'], 'CONFLICT'],
  ])('of %j is refused', (ends, code) => {
    expect(() => againOf('ab', execution(targets, ends))).toThrow(expect.objectContaining({ code }));
  });

  test('of what nobody tells is refused', () => {
    expect(() => againOf('ab', execution([], ['failed']))).toThrow(expect.objectContaining({ code: 'GONE' }));
    expect(() => againOf('ab', execution(targets.slice(0, 1), ['succeeded']))).toThrow('every target of execution ab succeeded');
  });

  test('goes as what it repeats: a retry of a retry keeps its batches, too', () => {
    const how = { threads: 4, keepGoing: false, timeout: '5m', queue: '1h', batch: '10%', pauseOnFailure: true };
    const { retries } = retriesOfWork('ab', targets, { owner: () => 'desk', target: ({ node }) => node }, { ...how, allowEmpty: true });
    for (const { request } of retries) expect(request).toMatchObject(how);
  });

  test('makes one request for each work, with the names that are used here', () => {
    const names = { owner: () => 'desk', target: ({ node }: PlannedTarget) => (node === 'web2' ? undefined : `${node}-here`) };
    const { retries, lost } = retriesOfWork('ab', targets, names, { keepGoing: true });
    expect(lost).toEqual(['web2']);
    expect(retries.map(({ request }) => request)).toEqual([
      {
        model: 'desk/demo',
        type: 'Service',
        resource: 'db',
        command: 'Start',
        options: { port: '80', fast: 'true' },
        keepGoing: true,
        only: ['web0-here'],
        retryOf: 'ab',
      },
      {
        model: 'desk/demo',
        type: 'Service',
        resource: 'shop',
        command: 'Start',
        options: { port: '80', fast: 'true' },
        keepGoing: true,
        only: ['web1-here'],
        retryOf: 'ab',
      },
    ]);
    expect(retries[0]?.narrowing.has('web0-here', command('db'))).toBe(true);
    expect(retries[0]?.narrowing.has('web0-here', command('shop'))).toBe(false);
  });

  test('joins plans as stages that follow one another', () => {
    const plan = (timeoutMs: number): Plan => ({
      parts: [{ target: { node: 'a', self: false, key, domain: 'd', starter: key }, work: command('db'), stage: 0 }],
      stages: [{ threads: 1, keepGoing: true, afterFailure: 1, title: '' }],
      batch: undefined,
      timeoutMs,
      unanswered: ['x'],
      notes: ['n'],
    });
    const one = joined([plan(5), plan(7)], ['more']);
    expect(one.parts.map(({ stage }) => stage)).toEqual([0, 1]);
    expect(one.stages.map(({ afterFailure }) => afterFailure)).toEqual([1, 2]);
    expect(one).toMatchObject({ timeoutMs: 7, unanswered: ['x'], notes: ['n', 'n', 'more'] });
  });
});
