/**
 * What the holder of the root key should sign when it sees new members: their names, on first sight, and the removal of a machine that
 * another one was granted to replace. A member that the root has bound depends on the root's word alone. Members beyond the uses of their
 * invite are left alone: the operator decides whether they may stay.
 */
import type { NodeName, PeerKey } from '../../../../protocol/ids.ts';
import type { FoldedMember, FoldedState } from './fold.ts';

export type Settlement = { type: 'bind'; key: PeerKey; name: NodeName } | { type: 'remove'; key: PeerKey; replacedBy: PeerKey };

/** Empty once everything is settled: what was signed is not asked for again. */
export function settlements(state: FoldedState): Settlement[] {
  const wanted: Settlement[] = [];
  const given = new Set<string>();
  for (const member of state.members.values()) {
    if (member.displayName !== member.name) continue;
    given.add(member.name);
    if (member.replaces) wanted.push(...replaced(state, member));
  }
  for (const member of state.members.values()) {
    if (member.bound || hasSurplus(state, member)) continue;
    const { name } = member;
    // If two came at once, the first of them here gets the name. Reserved names go to nobody.
    const first = !given.has(name) && !state.reservedNames.has(name);
    if (first) given.add(name);
    wanted.push({ type: 'bind', key: member.key, name: first ? name : (member.displayName as NodeName) });
  }
  return wanted;
}

/** Older holders of the name that `member` replaces, if the root itself had given them the name. */
function replaced(state: FoldedState, member: FoldedMember): Settlement[] {
  return [...state.members.values()]
    .filter((other) => other.key !== member.key && (other.bound || other.replaces) && other.name === member.name)
    .map((other) => ({ type: 'remove', key: other.key, replacedBy: member.key }));
}

function hasSurplus(state: FoldedState, { grant }: FoldedMember): boolean {
  return grant !== undefined && (state.invites.get(grant)?.surplus ?? 0) > 0;
}
