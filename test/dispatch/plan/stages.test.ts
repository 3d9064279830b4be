import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runSequence } from '../../../daemon/src/dispatch/execution/run/sequence.ts';
import { inBatches, parseBatch } from '../../../daemon/src/dispatch/plan/batches.ts';
import { freeze } from '../../../daemon/src/dispatch/plan/freeze.ts';
import type { Batch, Plan, Stage } from '../../../daemon/src/dispatch/plan/plan.types.ts';
import { type Block, closed, inSequence, sideBySide } from '../../../daemon/src/dispatch/plan/stages.ts';
import { readOrder } from '../../../daemon/src/dispatch/target/order-check.ts';

describe('batches', () => {
  test('have all items once and in order, none of them empty or too large', () => {
    const batch: fc.Arbitrary<Batch> = fc.oneof(
      fc.integer({ min: 1, max: 50 }).map((count) => ({ count })),
      fc.integer({ min: 1, max: 100 }).map((percent) => ({ percent })),
    );
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 200 }), batch, (items, how) => {
        const batches = inBatches(items, how);
        expect(batches.flat()).toEqual(items);
        const most = 'count' in how ? how.count : Math.ceil((items.length * how.percent) / 100);
        for (const one of batches) expect(one.length > 0 && one.length <= most).toBe(true);
      }),
    );
  });

  test('are read', () => {
    expect(parseBatch('5')).toEqual({ count: 5 });
    expect(parseBatch('10%')).toEqual({ percent: 10 });
    for (const text of ['0', '0%', '101%']) expect(() => parseBatch(text)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  });
});

describe('stages', () => {
  const block = (...items: string[][]): Block<string> =>
    items.map((one) => ({ threads: 1, keepGoing: false, title: one.join(), items: one, skips: Number.POSITIVE_INFINITY }));

  test('go on after a block whose failure is ignored', () => {
    const { stages, items } = closed(
      inSequence([
        { block: block(['a'], ['b']), ignored: true },
        { block: block(['c']), ignored: false },
        { block: block(['d']), ignored: false },
      ]),
    );
    expect(stages.map(({ afterFailure }) => afterFailure)).toEqual([2, 2, 4, 4]);
    expect(items.map(({ stage, item }) => `${stage}${item}`)).toEqual(['0a', '1b', '2c', '3d']);
  });

  test('side by side are joined place by place', () => {
    const { stages, items } = closed(sideBySide([block(['a'], ['b']), block(['c'])], 'both'));
    expect(items.map(({ stage, item }) => `${stage}${item}`)).toEqual(['0a', '0c', '1b']);
    expect(stages.map(({ threads }) => threads)).toEqual([2, 1]);
  });

  test('without targets are left out', () => {
    const { stages, items } = closed(
      inSequence([
        { block: block([], ['b'], []), ignored: true },
        { block: block(['c']), ignored: false },
      ]),
    );
    expect(stages.map(({ afterFailure }) => afterFailure)).toEqual([1, 2]);
    expect(items.map(({ stage, item }) => `${stage}${item}`)).toEqual(['0b', '1c']);
  });
});

describe('a sequence', () => {
  const stage = fc.record({
    threads: fc.integer({ min: 1, max: 4 }),
    keepGoing: fc.boolean(),
    size: fc.integer({ min: 1, max: 6 }),
    skips: fc.integer({ min: 1, max: 4 }),
  });

  test('gives each target one turn or none, never after what it depends on has failed, never too many at a time', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(stage, { minLength: 1, maxLength: 4 }),
        fc.array(fc.boolean(), { minLength: 24, maxLength: 24 }),
        fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
        async (given, fails, size) => {
          let next = 0;
          const stages = given.map(({ threads, keepGoing, size: count, skips }, at) => {
            const indexes = Array.from({ length: count }, (_none, i) => next + i);
            next += count;
            const one: Stage = { threads, keepGoing, title: '', afterFailure: Math.min(at + skips, given.length) };
            return { stage: one, indexes };
          });
          const turns: number[] = [];
          const left: number[] = [];
          const marked = new Set<number>();
          let now = 0;
          await runSequence({
            stages,
            batch: size === undefined ? undefined : { count: size },
            pauseOnFailure: false,
            mark: async (indexes) => {
              for (const index of indexes) marked.add(index);
            },
            turn: async (index) => {
              expect(marked.has(index)).toBe(true);
              turns.push(index);
              now += 1;
              const here = stages.find(({ indexes }) => indexes.includes(index));
              expect(now).toBeLessThanOrEqual(here?.stage.threads ?? 0);
              await new Promise((resolve) => setImmediate(resolve));
              now -= 1;
              return fails[index] === true;
            },
            leaveOut: (indexes) => void left.push(...indexes),
            pause: async () => true,
            stopped: () => false,
            note: () => undefined,
          });
          expect([...turns, ...left].sort((a, b) => a - b)).toEqual(Array.from({ length: next }, (_none, i) => i));
          for (const [at, { stage: one, indexes }] of stages.entries()) {
            const failed = indexes.some((index) => turns.includes(index) && fails[index] === true);
            if (!failed) continue;
            const skipped = stages.slice(at + 1, one.afterFailure).flatMap((later) => later.indexes);
            for (const index of skipped) expect(turns).not.toContain(index);
          }
        },
      ),
    );
  });

  test('ends at once when it is stopped', async () => {
    let stopped = false;
    const turns: number[] = [];
    await runSequence({
      stages: [{ stage: { threads: 1, keepGoing: true, title: '', afterFailure: 1 }, indexes: [0, 1, 2] }],
      batch: { count: 2 },
      pauseOnFailure: true,
      mark: async () => undefined,
      turn: async (index) => {
        turns.push(index);
        stopped = true;
        return true;
      },
      leaveOut: () => undefined,
      pause: async () => true,
      stopped: () => stopped,
      note: () => undefined,
    });
    expect(turns).toEqual([0]);
  });
});

describe('a frozen plan', () => {
  const target = (node: string) => ({
    node,
    self: false,
    key: Buffer.from(node.padEnd(32)).toString('hex'),
    domain: 'd1',
    starter: 'ab'.repeat(32),
  });
  const plan = (count: number): Plan => ({
    parts: Array.from({ length: count }, (_none, i) => ({
      target: target(`web${i}`),
      work: { type: 'exec', argv: ['ls', `${i}`], env: {} },
      stage: 0,
    })),
    stages: [],
    batch: undefined,
    timeoutMs: 1_000,
    unanswered: [],
    notes: [],
  });
  const when = { starter: 'desk', user: 'ops@desk', createdAt: 1_000, notAfter: 2_000 };

  test('gives each target an order that it can check', () => {
    const frozen = freeze(plan(37), when);
    for (const { index, node } of frozen.targets) {
      const read = readOrder(Uint8Array.from(frozen.order(index)));
      expect(read).toMatchObject({ id: frozen.id, index, entry: { node }, header: { count: 37, timeoutMs: 1_000 } });
    }
    expect(freeze(plan(37), when).id).not.toBe(frozen.id);
  });

  test('has limits', () => {
    expect(() => freeze(plan(2_001), when)).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }));
    const large = plan(1);
    for (const part of large.parts) part.work = { type: 'exec', argv: ['x'.repeat(131_072), 'y'.repeat(131_072)], env: {} };
    expect(() => freeze(large, when)).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }));
  });
});
