import { describe, expect, it } from 'vitest';
import { assertForUs, type CheckedOrder } from '../../../daemon/src/dispatch/target/order-check.ts';
import { type PlanHeader, planEntry, planHeader } from '../../../protocol/orders/order.ts';

const NOW = 1_000_000_000_000;
const DAY_MS = 24 * 3_600_000;
const [domain, self, starter] = ['a', 'b', 'c'].map((digit) => digit.repeat(64)) as [string, string, string];

function orderAt(times: Pick<PlanHeader, 'createdAt' | 'notBefore' | 'notAfter'>): CheckedOrder {
  const work = { type: 'exec', argv: ['/bin/true'], env: {} };
  const entry = planEntry.parse({ node: 'beta', key: self, domain, starter, work });
  const about = { version: 1, nonce: new Uint8Array(16), starter: 'alpha', user: 'ada', timeoutMs: 1, count: 1, root: new Uint8Array(32) };
  const none = new Uint8Array();
  return { id: self, index: 0, header: planHeader.parse({ ...about, ...times }), headerBytes: none, entry, bytes: none };
}

describe('the times of an order', () => {
  const times = { createdAt: NOW, notBefore: NOW, notAfter: NOW + DAY_MS };

  it('may be from its making to seven days later', () => {
    expect(() => assertForUs(orderAt({ ...times, notAfter: NOW + 7 * DAY_MS }), { domain, self, starter }, NOW)).not.toThrow();
  });

  it.each([
    ['before it was made', { notBefore: NOW - 1 }, /cannot start before it was made/],
    ['expires before it may start', { notBefore: NOW + 2, notAfter: NOW + 1 }, /expires before it may start/],
    ['too long', { notAfter: NOW + 7 * DAY_MS + 1 }, /7 days at most/],
    [
      'of a clock that is far ahead',
      { createdAt: NOW + 2 * DAY_MS, notBefore: NOW + 2 * DAY_MS, notAfter: NOW + 3 * DAY_MS },
      /in the future/,
    ],
  ])('are refused, saying why: %s', (_name, other, why) => {
    expect(() => assertForUs(orderAt({ ...times, ...other }), { domain, self, starter }, NOW)).toThrow(why);
  });
});
