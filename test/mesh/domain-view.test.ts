import { expect, it } from 'vitest';
import { domainView } from '../../daemon/src/mesh/domain-view.ts';
import type { FoldedState } from '../../daemon/src/mesh/membership/fold.ts';
import { type PeerKey, parseDomainId, parsePeerKey, peerIdOf } from '../../protocol/ids.ts';

const key = (digit: string): PeerKey => parsePeerKey(digit.repeat(64));
const [SELF, TOLD, SILENT, BEHIND, REMOVED, LEFT] = [key('1'), key('2'), key('3'), key('4'), key('5'), key('6')];
const HEARD = new Map([
  [TOLD, new Set([LEFT, REMOVED, key('7')].map(peerIdOf))],
  [BEHIND, new Set([peerIdOf(LEFT)])],
]);

it('names of each member that is gone who knows of it: this node, and those that told', () => {
  const { removed } = domainView({
    state: stateOf([SELF, TOLD, SILENT, BEHIND]),
    self: SELF,
    nodeName: 'node1',
    holdsRoot: false,
    domainState: 'Ready',
    message: undefined,
    port: 7701,
    ownAddress: undefined,
    presence: (peer) => ({
      connected: true,
      reach: 'connected',
      path: 'direct',
      address: undefined,
      since: 0,
      failure: undefined,
      heard: HEARD.get(peer),
    }),
    lastAddress: () => undefined,
    namespaceOf: (peer) => `node${peer[0]}`,
  });
  expect(removed).toEqual([
    { id: peerIdOf(REMOVED), name: 'five', left: false, heardBy: [SELF, TOLD].map(peerIdOf) },
    { id: peerIdOf(LEFT), name: 'six', left: true, heardBy: [SELF, TOLD, BEHIND].map(peerIdOf) },
  ]);
});

function stateOf(members: readonly PeerKey[]): FoldedState {
  const state: Partial<FoldedState> = {
    domain: parseDomainId('d'.repeat(64)),
    name: 'club',
    rotations: 1,
    suspended: new Map(),
    invites: new Map(),
    removed: new Map([
      [REMOVED, { name: 'five', fact: '', left: false }],
      [SELF, { name: 'one', fact: '', left: false }],
      [LEFT, { name: 'six', fact: '', left: true }],
    ]),
  };
  const shown = members.map((member) => [member, { key: member, id: peerIdOf(member), ambiguous: false, grant: undefined }]);
  const generations = { genesis: { fact: { founder: { key: SELF } } } };
  return { ...state, members: new Map(shown as []), generations } as unknown as FoldedState;
}
