import { performance } from 'node:perf_hooks';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { LOOK_MS, MemoryKeeper } from '../../../daemon/src/process/memory-keeper.ts';

const MB = 1024 * 1024;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

it('leaves it at that where the memory cannot be read, as without a free descriptor', async () => {
  const read = vi.spyOn(process.memoryUsage, 'rss').mockImplementation(() => {
    throw new Error('EMFILE: too many open files, uv_resident_set_memory');
  });
  vi.spyOn(performance, 'eventLoopUtilization').mockReturnValue({ utilization: 0, idle: 0, active: 0 });
  const keeper = new MemoryKeeper();
  keeper.start();
  // a rejection that nobody handles would fail this run
  await vi.advanceTimersByTimeAsync(LOOK_MS);
  expect(read).toHaveBeenCalled();
  keeper.stop();
});

it('collects when the daemon is calm and has grown, and not again until it grows again', async () => {
  let busy = 0.5;
  let resident = 160 * MB;
  const collected: number[] = [];
  const keeper = new MemoryKeeper({
    busy: () => busy,
    resident: () => resident,
    async collect() {
      collected.push(resident / MB);
      resident = 120 * MB;
    },
  });
  keeper.start();
  await vi.advanceTimersByTimeAsync(3 * LOOK_MS);
  expect(collected).toEqual([]);
  busy = 0.01;
  await vi.advanceTimersByTimeAsync(LOOK_MS);
  expect(collected).toEqual([160]);
  await vi.advanceTimersByTimeAsync(5 * LOOK_MS);
  resident = 130 * MB;
  await vi.advanceTimersByTimeAsync(5 * LOOK_MS);
  expect(collected).toEqual([160]);
  resident = 150 * MB;
  await vi.advanceTimersByTimeAsync(LOOK_MS);
  expect(collected).toEqual([160, 150]);
  keeper.stop();
  resident = 300 * MB;
  await vi.advanceTimersByTimeAsync(5 * LOOK_MS);
  expect(collected).toEqual([160, 150]);
});

it('collects in this process', async () => {
  vi.useRealTimers();
  const weak = new WeakRef({ garbage: true });
  const { collectGarbage } = await import('../../../daemon/src/process/memory-keeper.ts');
  await collectGarbage();
  expect(weak.deref()).toBeUndefined();
});
