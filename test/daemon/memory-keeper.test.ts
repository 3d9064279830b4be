import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { LOOK_MS, MemoryKeeper } from '../../daemon/src/memory-keeper.ts';

const MB = 1024 * 1024;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
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
  const { collectGarbage } = await import('../../daemon/src/memory-keeper.ts');
  await collectGarbage();
  expect(weak.deref()).toBeUndefined();
});
