import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FairShare } from '../../../../daemon/src/dispatch/execution/elsewhere/fair-share.ts';

describe('a fair share', () => {
  test('has room for who says little after others have said much', () => {
    const share = new FairShare<string, string>(4);
    for (let at = 0; at < 100; at += 1) for (const liar of ['a', 'b']) share.add(liar, `${liar}${at}`);
    share.add('honest', 'h');
    expect(share.values()).toHaveLength(4);
    expect(share.values()).toContain('h');
  });

  test('keeps all while there is room; and with less, of each its first, and of nobody more than one beyond what another was refused at', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 60 }), (most, tellers) => {
        const share = new FairShare<number, { teller: number; at: number }>(most);
        const said = new Map<number, number>();
        for (const teller of tellers) {
          const at = said.get(teller) ?? 0;
          said.set(teller, at + 1);
          share.add(teller, { teller, at });
        }
        const kept = share.values();
        expect(kept).toHaveLength(Math.min(most, tellers.length));
        const counts = Map.groupBy(kept, ({ teller }) => teller);
        const largest = Math.max(0, ...[...counts.values()].map(({ length }) => length));
        for (const [teller, times] of said) {
          const { length } = counts.get(teller) ?? [];
          if (length < times) expect(length).toBeGreaterThanOrEqual(largest - 1);
        }
      }),
    );
  });
});
