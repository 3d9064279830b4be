import { expect, it } from 'vitest';
import { connectionShares, openFilesLimit } from '../../../daemon/src/process/open-files.ts';

it.each([256, 1_024, 4_096, 20_000, 65_536, Number.POSITIVE_INFINITY])('leaves half of %i open files to the daemon itself', (limit) => {
  const { connections, tunnels } = connectionShares(limit);
  expect(connections).toBeGreaterThan(8);
  expect(3 * connections + 2 * tunnels).toBeLessThanOrEqual(limit / 2);
});

it('takes what the system says, and any number where it says nothing', () => {
  expect(openFilesLimit()).toBeGreaterThan(100);
  expect(openFilesLimit('/nowhere')).toBe(Number.POSITIVE_INFINITY);
});
