import { describe, expect, it } from 'vitest';
import type { PreparedCommand } from '../../../../daemon/src/catalog/instances/instances.types.ts';
import { Ahead } from '../../../../daemon/src/catalog/instances/tasks/ahead.ts';

const command: PreparedCommand = { start: async () => ({ id: 'one' }) };

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
    ahead.look();
    expect(asked).toEqual(['1']);
    going[0]?.resolve(command);
    next.shift();
    expect(await ahead.take('1')).toBe(command);
    expect(ahead.take('1')).toBeUndefined();
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
    await both.promise;
    expect(asked).toEqual(['1', '2', '3']);
    expect(await ahead.take('1')).toBeUndefined();
    expect(await ahead.take('2')).toBeUndefined();
  });
});
