import { describe, expect, it } from 'vitest';
import { removedIds } from '../../../daemon/src/mesh/domain/sync-service.ts';
import type { MembershipState } from '../../../daemon/src/mesh/membership/membership.types.ts';
import { parsePeerKey } from '../../../protocol/ids.ts';
import { decodeFacts, encodeFacts } from '../../../protocol/sync.ts';

describe('removals that are told', () => {
  it('fit into a message, however many there were in the life of a domain', () => {
    const removed = new Map(
      Array.from({ length: 5_000 }, (_, index) => {
        const key = parsePeerKey(index.toString(16).padStart(64, '0'));
        return [key, { name: `n${index}`, fact: '', left: false }] as const;
      }),
    );
    const state = { removed } as unknown as MembershipState;
    const ids = removedIds({ state: () => state });
    const message = { type: 'heard', digest: '0'.repeat(64), removed: ids } as const;
    expect(decodeFacts(encodeFacts(message))).toEqual(message);
    expect([...ids].sort()).toEqual(ids);
  });
});
