/** A domain as the rest of the daemon sees it: computed from membership, presence and names. Pure. */
import { type PeerId, type PeerKey, peerIdOf } from '../../../protocol/ids.ts';
import { type Address, formatAddress } from '../../../protocol/peers/address.ts';
import type { MemberPresence } from './domain/domain-node.ts';
import type { FoldedMember, FoldedState } from './membership/fold.ts';
import type { DomainState, DomainView, InviteView, PeerView } from './mesh.types.ts';

/** Number of hex digits of a grant's id that identify an invite. */
const INVITE_ID_LENGTH = 16;

export interface ViewInput {
  state: FoldedState;
  self: PeerKey;
  nodeName: string;
  holdsRoot: boolean;
  domainState: DomainState;
  message: string | undefined;
  port: number | undefined;
  /** This node's own best address. */
  ownAddress: Address | undefined;
  presence(key: PeerKey): MemberPresence | undefined;
  /** Last known address of an absent member. */
  lastAddress(key: PeerKey): Address | undefined;
  namespaceOf(key: PeerKey): string;
}

export function domainView(input: ViewInput): DomainView {
  const { state, self } = input;
  const founder = founderKey(input);
  const peers = [...state.members.values()].map((member) => peerView(input, member, member.key === founder));
  const gone = [...state.removed].filter(([key]) => key !== self).map(([key, { name, left }]) => ({ id: peerIdOf(key), name, left }));
  const heardBy = hearers(
    gone.map(({ id }) => id),
    peers,
  );
  const removed = gone.map((one) => ({ ...one, heardBy: heardBy.get(one.id) ?? [] }));
  return {
    id: state.domain,
    name: state.name,
    state: input.domainState,
    message: input.message,
    self,
    holdsRoot: input.holdsRoot,
    founderName: founder === undefined ? undefined : input.namespaceOf(founder),
    port: input.port,
    peers: peers.sort((a, b) => (a.displayName < b.displayName ? -1 : 1)),
    removed,
  };
}

/** By removed member: the peers that know of the removal. Visits each peer only once, since every change of a connection calls this. */
function hearers(removed: readonly PeerId[], peers: readonly PeerView[]): Map<PeerId, PeerId[]> {
  const heardBy = new Map<PeerId, PeerId[]>(removed.map((id) => [id, []]));
  for (const peer of peers) {
    for (const id of peer.self ? removed : (peer.heardRemovals ?? [])) heardBy.get(id)?.push(peer.id);
  }
  return heardBy;
}

/** The holder of the root key, as far as known: after a rotation only that node itself knows. */
function founderKey({ state, self, holdsRoot }: ViewInput): PeerKey | undefined {
  if (holdsRoot) return self;
  const founder = state.generations.genesis.fact.founder.key;
  return state.rotations === 0 && state.members.has(founder) ? founder : undefined;
}

function peerView(input: ViewInput, member: FoldedMember, founder: boolean): PeerView {
  const self = member.key === input.self;
  const presence = self ? undefined : input.presence(member.key);
  const address = self ? input.ownAddress : (presence?.address ?? input.lastAddress(member.key));
  return {
    key: member.key,
    id: member.id,
    displayName: input.namespaceOf(member.key),
    claimedName: member.claimedName,
    self,
    founder,
    connected: presence?.connected ?? false,
    reach: self ? 'connected' : (presence?.reach ?? 'away'),
    path: self ? 'self' : presence?.path,
    address: address === undefined ? undefined : formatAddress(address, -1),
    since: presence?.since,
    failure: presence?.failure?.message,
    advice: presence?.failure?.code === 'PACKETS_LOST' ? presence.failure.next : undefined,
    lost: presence?.lost,
    misfit: isMisfit(presence),
    suspended: input.state.suspended.has(member.key),
    conditions: conditionsOf(input, member, presence),
    heardRemovals: presence?.heard === undefined ? undefined : [...presence.heard],
  };
}

function isMisfit(presence: MemberPresence | undefined): boolean {
  return presence?.failure?.code === 'VERSION_TOO_OLD';
}

function conditionsOf({ state, namespaceOf }: ViewInput, member: FoldedMember, presence: MemberPresence | undefined): string[] {
  const conditions: string[] = [];
  if (isMisfit(presence)) {
    conditions.push(
      'It runs another version of dtkd, which does not fit this one: compare "dtkd version" on both nodes, and upgrade the older one.',
    );
  }
  if (member.ambiguous) {
    conditions.push(`Several members claim the name "${member.name}"; it is settled once the founder's node has seen them.`);
  }
  if (state.suspended.has(member.key)) {
    conditions.push(`Suspended: its log forked. The founder may clear it ("dtkd domain clear ${state.name} ${member.id}") or remove it.`);
  }
  const invite = member.grant === undefined ? undefined : state.invites.get(member.grant);
  if (invite !== undefined && invite.surplus > 0) {
    const names = invite.admitted.map(namespaceOf).join(', ');
    conditions.push(
      `Its invite was for ${invite.uses} and admitted ${invite.uses + invite.surplus}, in parts that were cut off: ${names}.`,
    );
  }
  return conditions;
}

export function inviteViews(state: FoldedState, tokens: ReadonlyMap<string, string>, now: number): InviteView[] {
  return [...state.invites.values()].map((invite) => {
    const usable = !invite.revoked && invite.expires > now && invite.admitted.length < invite.uses;
    return {
      id: invite.grant.slice(0, INVITE_ID_LENGTH),
      uses: invite.uses,
      used: invite.admitted.length,
      expires: invite.expires,
      revoked: invite.revoked,
      replace: invite.replace,
      token: usable ? tokens.get(invite.grant) : undefined,
    };
  });
}
