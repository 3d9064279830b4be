import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PreparedCommand } from '../../../../daemon/src/catalog/instances/instances.types.ts';
import { Ahead } from '../../../../daemon/src/catalog/instances/tasks/ahead.ts';
import { CALM_MS } from '../../../../daemon/src/catalog/instances/tasks/limits.ts';

const command: PreparedCommand = { start: async () => ({ id: 'one' }) };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('what comes next', () => {
  it('is prepared one after the other, once, and taken once', async () => {
    const asked: string[] = [];
    const going: PromiseWithResolvers<PreparedCommand>[] = [];
    const next = ['1', '2'];
    const ahead = new Ahead({
      next: () => next,
      prepare: (number) => {
        asked.push(number);
        const one = Promise.withResolvers<PreparedCommand>();
        going.push(one);
        return one.promise;
      },
    });
    ahead.look();
    vi.advanceTimersByTime(CALM_MS - 1);
    ahead.look();
    vi.advanceTimersByTime(CALM_MS - 1);
    expect(asked).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(asked).toEqual(['1']);
    ahead.look();
    vi.advanceTimersByTime(CALM_MS);
    expect(asked).toEqual(['1']);
    going[0]?.resolve(command);
    next.shift();
    expect(await ahead.take('1')).toBe(command);
    expect(ahead.take('1')).toBeUndefined();
  });

  it('has to wait once more where something is started meanwhile', async () => {
    const asked: string[] = [];
    const next = ['1', '2'];
    const ahead = new Ahead({
      next: () => next,
      prepare: async (number) => {
        asked.push(number);
        return command;
      },
    });
    ahead.look();
    vi.advanceTimersByTime(CALM_MS);
    ahead.look();
    next.shift();
    await ahead.take('1');
    await Promise.resolve();
    expect(asked).toEqual(['1']);
    vi.advanceTimersByTime(CALM_MS);
    expect(asked).toEqual(['1', '2']);
  });

  it('is left to whoever starts it where it cannot be prepared, and the one after it is prepared', async () => {
    const asked: string[] = [];
    const both = Promise.withResolvers<void>();
    const ahead = new Ahead({
      next: () => ['1', '2', '3'],
      prepare: (number) => {
        asked.push(number);
        if (number === '2') return undefined;
        if (number === '3') both.resolve();
        return Promise.reject(new Error('no'));
      },
    });
    ahead.look();
    vi.advanceTimersByTime(CALM_MS);
    await both.promise;
    expect(asked).toEqual(['1', '2', '3']);
    expect(await ahead.take('1')).toBeUndefined();
    expect(await ahead.take('2')).toBeUndefined();
  });
});
