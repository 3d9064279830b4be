import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { inTurn, newListTurns } from '../../../daemon/src/api/reading/list-turns.ts';
import type { ApiContext } from '../../../daemon/src/api/request/request.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

it('keep nobody waiting for clients that do not take their lists, and those are few', async () => {
  const lists = newListTurns();
  const answers: EventEmitter[] = [];
  let made = 0;
  const ask = () => {
    const outgoing = new EventEmitter();
    answers.push(outgoing);
    const c = { env: { outgoing }, get: () => ({ type: 'operator', name: 'operator' }) };
    void inTurn({ lists }, c as unknown as ApiContext, () => {
      made += 1;
      return new Response();
    });
  };
  for (let times = 0; times < 50; times += 1) ask();
  expect(made).toBe(8);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(made).toBe(16);
  await vi.advanceTimersByTimeAsync(60_000);
  // as many beside the eight as may be slow
  expect(made).toBe(32);
  for (const answer of answers.slice(0, 40)) answer.emit('close');
  await vi.advanceTimersByTimeAsync(0);
  expect(made).toBe(48);
  for (const answer of answers) answer.emit('close');
  expect(vi.getTimerCount()).toBe(0);
  for (let times = 0; times < 50; times += 1) ask();
  await vi.advanceTimersByTimeAsync(60_000);
  // nothing was forgotten of those that are over
  expect(made).toBe(50 + 32);
});
