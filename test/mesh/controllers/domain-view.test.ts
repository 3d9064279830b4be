import { expect, it } from 'vitest';
import { connectionNews } from '../../../daemon/src/mesh/controllers/domain-view.ts';

it('tells of members that come and go, and nothing of connections that are only not needed now', () => {
  expect(connectionNews(undefined, 'connected')).toBe('connected');
  expect(connectionNews('away', 'connected')).toBe('connected');
  expect(connectionNews('connected', 'away')).toBe('away');
  for (const before of [undefined, 'connected', 'away'] as const) expect(connectionNews(before, 'idle')).toBeUndefined();
  expect(connectionNews(undefined, 'away')).toBeUndefined();
  expect(connectionNews('connected', 'connected')).toBeUndefined();
});
