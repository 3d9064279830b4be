import { expect, it } from 'vitest';
import type { DomainView } from '../../../daemon/src/mesh/mesh.types.ts';
import { goneMembers } from '../../../daemon/src/wiring/dispatch-ports.ts';
import { type PeerKey, parseDomainId, parsePeerKey, peerIdOf } from '../../../protocol/ids.ts';

const key = (digit: string): PeerKey => parsePeerKey(digit.repeat(64));
const [SELF, REMOVED, LEFT, MEMBER] = [key('1'), key('2'), key('3'), key('4')];

it('are those that were removed or left, without this node itself, as of the last change', () => {
  let removed = [SELF, REMOVED];
  const listeners: (() => void)[] = [];
  const isGone = goneMembers({
    domains: () => [view(removed)],
    onChange: (listener) => {
      listeners.push(listener);
      return () => undefined;
    },
  });
  expect([SELF, REMOVED, LEFT, MEMBER].filter(isGone)).toEqual([REMOVED]);
  removed = [SELF, REMOVED, LEFT];
  for (const listener of listeners) listener();
  expect([SELF, REMOVED, LEFT, MEMBER].filter(isGone)).toEqual([REMOVED, LEFT]);
});

function view(removed: readonly PeerKey[]): DomainView {
  return {
    id: parseDomainId('d'.repeat(64)),
    name: 'club',
    state: 'Ready',
    message: undefined,
    self: SELF,
    holdsRoot: false,
    founderName: undefined,
    port: 7701,
    peers: [],
    removed: removed.map((one) => ({ id: peerIdOf(one), name: 'node', left: one === LEFT, heardBy: [] })),
  };
}
