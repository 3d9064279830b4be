import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WorkQueue } from '../../daemon/src/garbage/work-queue.ts';

let now = 0;
let done: string[];
let failing: Set<string>;
let idle: number;
let queue: WorkQueue;

beforeEach(() => {
  vi.useFakeTimers();
  now = 0;
  done = [];
  failing = new Set();
  idle = 0;
  queue = new WorkQueue({
    parallel: 2,
    limit: 3,
    firstBackOffMs: 10,
    lastBackOffMs: 50,
    work: async (key, failures) => {
      done.push(`${key}${failures === 0 ? '' : failures}@${now}`);
      if (failing.has(key)) throw new Error('no');
    },
    onIdle: () => {
      idle += 1;
    },
  });
});
afterEach(async () => {
  await queue.stop();
  vi.useRealTimers();
});

const pass = async (ms: number) => {
  for (let step = 0; step < ms; step++) {
    now += 1;
    await vi.advanceTimersByTimeAsync(1);
  }
};

describe('work', () => {
  it('comes at its time though the clock is set back meanwhile, and looks no more often', async () => {
    queue.add('a', 5);
    failing.add('b');
    queue.add('b', 1);
    await pass(2);
    vi.setSystemTime(Date.now() - 40 * 24 * 60 * 60 * 1000);
    failing.clear();
    await pass(20);
    expect(done).toEqual(['b@1', 'a@5', 'b1@11']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is done at its time, each key once', async () => {
    queue.add('a', 5);
    queue.add('a', 20);
    queue.add('b', 2);
    expect(queue.size).toBe(2);
    await pass(30);
    expect(done).toEqual(['b@2', 'a@5']);
    expect(queue.size).toBe(0);
    expect(idle).toBeGreaterThan(0);
  });

  it('that fails comes again, later each time, and no sooner because it is asked for', async () => {
    failing.add('a');
    queue.add('a', 1);
    await pass(3);
    queue.add('a', 0);
    await pass(200);
    expect(done.slice(0, 5)).toEqual(['a@1', 'a1@11', 'a2@31', 'a3@71', 'a4@121']);
    failing.clear();
    done = [];
    queue.add('a', 0, { anew: true });
    await pass(2);
    expect(done).toHaveLength(1);
    expect(queue.size).toBe(0);
  });

  it('is bounded, and what has failed takes no room from the rest', async () => {
    for (const key of ['a', 'b', 'c']) {
      failing.add(key);
      expect(queue.add(key, 1)).toBe(true);
    }
    expect(queue.add('d', 1)).toBe(false);
    await pass(3);
    for (const key of ['d', 'e', 'f']) {
      failing.add(key);
      expect(queue.add(key, 0)).toBe(true);
    }
    await pass(3);
    expect(queue.size, 'three failed wait; no room for more').toBe(3);
  });

  it('asked for while it is done is done again', async () => {
    let open: () => void = () => undefined;
    const runs: string[] = [];
    const slow = new WorkQueue({
      parallel: 1,
      limit: 3,
      firstBackOffMs: 1,
      lastBackOffMs: 1,
      work: (key) => {
        runs.push(key);
        return new Promise((resolve) => {
          open = resolve;
        });
      },
      onIdle: () => undefined,
    });
    slow.add('a', 0);
    await pass(1);
    slow.add('a', 0);
    slow.add('b', 0);
    await pass(2);
    expect(runs).toEqual(['a']);
    for (let turn = 0; turn < 3; turn++) {
      open();
      await pass(2);
    }
    expect([...runs].sort()).toEqual(['a', 'a', 'b']);
    const stopped = slow.stop();
    open();
    await stopped;
  });
});
