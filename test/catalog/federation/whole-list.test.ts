import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { KeptView } from '../../../daemon/src/catalog/federation/cache/kept-view.ts';
import { type Asking, askAll } from '../../../daemon/src/catalog/federation/list/whole-list.ts';
import type { PeerPage } from '../../../daemon/src/catalog/federation/peer/peer-page.ts';
import type { PeerNode } from '../../../daemon/src/catalog/federation/peer-api.types.ts';
import { federatedSelection } from '../../../daemon/src/catalog/federation/selection.ts';
import { parseDomainId, parsePeerKey } from '../../../protocol/ids.ts';
import { serviceKind } from '../../../protocol/kinds/service.ts';

const peer: PeerNode = {
  domain: parseDomainId('d'.repeat(64)),
  key: parsePeerKey('1'.repeat(64)),
  namespace: 'node1',
  reachable: true,
  suspended: false,
};
const TIMEOUT_MS = 2_000;

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

/** A peer with so many rows, that gives some in each page, and takes its time. */
async function asked(total: number, rowsOf: (limit: number) => number, ms: number): Promise<{ answer: unknown; pages: number }> {
  let given = 0;
  let pages = 0;
  const fetch: Asking['fetch'] = async (_peer, { limit }): Promise<PeerPage> => {
    vi.advanceTimersByTime(ms);
    const count = Math.min(rowsOf(limit), total - given);
    const rows = Array.from({ length: count }, (_, at) => ({ name: String(given + at).padStart(8, '0'), json: '{}' }));
    given += count;
    pages += 1;
    return { outcome: 'page', rows, resourceVersion: '1', continue: given < total ? `after ${given}` : '', cut: false };
  };
  const kept = { leases: { isFollowed: () => false }, parts: () => new Map() } as unknown as KeptView;
  const selection = federatedSelection(serviceKind, {});
  const answers = await askAll({
    peers: [peer],
    selection,
    kept,
    fetch,
    timeoutMs: TIMEOUT_MS,
    now: Date.now,
    signal: new AbortController().signal,
  });
  return { answer: answers.get(peer.key), pages };
}

it('waits for a node that gives full pages, each in its time', async () => {
  expect(await asked(20_000, (limit) => limit, TIMEOUT_MS - 1)).toEqual({ answer: { state: 'answered' }, pages: 20 });
});

it('does not wait for one that gives row by row, or none', async () => {
  const slow = { state: 'failed', reason: 'it sends its rows too slowly' };
  for (const rows of [0, 1]) {
    const { answer, pages } = await asked(20_000, () => rows, TIMEOUT_MS - 1);
    expect(answer).toEqual(slow);
    expect(pages).toBeLessThan(5);
  }
});
