import { expect, test } from 'vitest';
import { onward } from '../../../daemon/src/api/flow/soon.ts';

const next = (value: number) => {
  if (value < 0) throw new Error('below zero');
  return value + 1;
};

test('goes on at once with what is there, and later with what comes', async () => {
  expect(onward(1, next)).toBe(2);
  const coming = onward(Promise.resolve(1), next);
  expect(coming).toBeInstanceOf(Promise);
  expect(await coming).toBe(2);
});

test('fails where it goes on', async () => {
  expect(() => onward(-1, next)).toThrow('below zero');
  await expect(onward(Promise.resolve(-1), next)).rejects.toThrow('below zero');
  await expect(onward(Promise.reject(new Error('did not come')), next)).rejects.toThrow('did not come');
});
