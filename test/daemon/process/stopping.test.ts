import { expect, it } from 'vitest';
import { Stops } from '../../../daemon/src/process/stopping.ts';
import { silentLogger } from '../../silent-logger.ts';

it('stops in reverse what was started, once, and goes on after what does not stop cleanly', async () => {
  const done: string[] = [];
  const warned: object[] = [];
  const stops = new Stops({ ...silentLogger, warn: (fields) => void warned.push(fields) });
  stops.push(() => void done.push('store'));
  await stops.start({ start: () => void done.push('+mesh'), stop: async () => void done.push('mesh') });
  const failed = new Error('will not');
  stops.push(() => Promise.reject(failed));
  stops.push(() => {
    throw failed;
  });
  const refused = stops.start({ start: () => Promise.reject(failed), stop: () => void done.push('what never started') });
  await expect(refused).rejects.toBe(failed);

  await stops.stop();
  await stops.stop();
  expect(done).toEqual(['+mesh', 'mesh', 'store']);
  expect(warned).toEqual([{ err: failed }, { err: failed }]);
});
