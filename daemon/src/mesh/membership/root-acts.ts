/**
 * What the holder of the root key (or of the recovery key) signs: each act is a pure function of the state that returns the item to add.
 * Checks that the act makes sense; the caller decides who may perform it.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import { type NodeName, type PeerKey, parseNodeName } from '../../../../protocol/ids.ts';
import type { SigningKey } from '../../../../protocol/keys/signing.ts';
import { MAX_INVITE_LIFETIME_MS, MAX_INVITE_USES, MAX_LIVE_INVITES, MAX_ROTATION_REMOVED } from '../../../../protocol/limits.ts';
import { type Rotation, recoveryHash, signRootFact, signRotation } from '../../../../protocol/membership/facts.ts';
import type { FoldedState } from './fold.ts';
import { compareText } from './stamp.ts';

/** Default lifetime of an invite: a day. */
const DEFAULT_LIFETIME_MS = 24 * 3_600_000;

export interface RootContext {
  state: FoldedState;
  root: SigningKey;
  now: number;
}

export interface InviteOptions {
  /** Default 1. */
  uses?: number | undefined;
  /** Milliseconds from now. Default: 24 hours. */
  expiresMs?: number | undefined;
  /** The name of a lost machine that the bearer may take over. */
  replace?: string | undefined;
}

export function grantInvite({ state, root, now }: RootContext, self: PeerKey, invite: SigningKey, options: InviteOptions): Uint8Array {
  const uses = options.uses ?? 1;
  const lifetime = options.expiresMs ?? DEFAULT_LIFETIME_MS;
  const replace = options.replace === undefined ? undefined : parseNodeName(options.replace);
  if (!Number.isInteger(uses) || uses < 1 || uses > MAX_INVITE_USES) {
    throw new DtkdError('INVALID', `an invite can be used 1 to ${MAX_INVITE_USES} times, not ${uses} times`, {
      details: { field: 'uses' },
    });
  }
  if (!Number.isInteger(lifetime) || lifetime < 1 || lifetime > MAX_INVITE_LIFETIME_MS) {
    throw new DtkdError('INVALID', 'an invite can be valid for at least a millisecond and at most 366 days', {
      details: { field: 'expires' },
    });
  }
  if (replace !== undefined && uses !== 1) {
    throw new DtkdError('INVALID', 'an invite that replaces a node can be used once only', { details: { field: 'uses' } });
  }
  if (replace !== undefined && state.members.get(self)?.name === replace) {
    throw new DtkdError('INVALID', `"${replace}" is this node itself, which cannot be replaced by its own invite`, {
      details: { field: 'replace' },
    });
  }
  const live = [...state.invites.values()].filter((open) => !open.revoked && open.expires >= now && open.admitted.length < open.uses);
  if (live.length >= MAX_LIVE_INVITES) {
    throw new DtkdError('QUOTA_EXCEEDED', `there are ${live.length} open invites already`, {
      next: 'Revoke those that are not needed ("dtkd domain revoke").',
    });
  }
  // Of two grants that replace the same name the later one counts, so time must advance even if the clock stood still or went back.
  let before = 0;
  for (const { fact } of state.facts.grants.values())
    if (replace !== undefined && fact.replace === replace) before = Math.max(before, fact.time);
  return signRootFact(root, {
    type: 'grant',
    by: state.generations.current,
    time: Math.max(now, before + 1),
    key: invite.publicKey,
    uses,
    expires: now + lifetime,
    ...(replace === undefined ? {} : { replace }),
  });
}

/** Ends an invite. Members known here that joined with it stay. */
export function revokeInvite({ state, root, now }: RootContext, grant: string): Uint8Array {
  const invite = state.invites.get(grant);
  if (invite === undefined) throw new DtkdError('NOT_FOUND', 'there is no such invite', { next: 'See "dtkd domain invites".' });
  return signRootFact(root, { type: 'revocation', by: state.generations.current, time: now, grant, keeps: invite.admitted });
}

/** Removes a member for good. Members known here that it admitted stay. */
export function removeMember({ state, root, now }: RootContext, key: PeerKey): Uint8Array {
  const member = state.members.get(key);
  const gone = state.removed.get(key);
  if (member === undefined && gone?.left !== true) {
    throw new DtkdError('NOT_FOUND', gone === undefined ? 'there is no such member' : `"${gone.name}" has been removed already`);
  }
  const keeps = new Set<PeerKey>();
  for (const { fact } of state.links.values()) if (fact.admitter === key) keeps.add(fact.key);
  return signRootFact(root, {
    type: 'removal',
    by: state.generations.current,
    time: now,
    key,
    name: parseNodeName(member?.displayName ?? gone?.name ?? ''),
    keeps: [...keeps].sort(compareText),
  });
}

export function bindName({ state, root, now }: RootContext, key: PeerKey, name: NodeName): Uint8Array {
  if (!state.members.has(key)) throw new DtkdError('NOT_FOUND', 'there is no such member');
  for (const other of state.members.values()) {
    if (other.key !== key && other.displayName === name && other.bound) {
      throw new DtkdError('NAME_TAKEN', `the name "${name}" belongs to another member`, { details: { name } });
    }
  }
  // Later than the binding that it supersedes, even if the clock stood still or went back.
  const before = state.facts.bindings.get(key)?.fact.time ?? 0;
  return signRootFact(root, { type: 'binding', by: state.generations.current, time: Math.max(now, before + 1), key, name });
}

/** Makes the name of removed members available again. */
export function freeName({ state, root, now }: RootContext, name: string): Uint8Array {
  const keys = state.reservations.get(name);
  if (keys === undefined) {
    throw new DtkdError('NOT_FOUND', `the name "${name}" is not reserved`, { next: 'Only the names of removed members need to be freed.' });
  }
  return signRootFact(root, { type: 'free', by: state.generations.current, time: now, name: parseNodeName(name), keys: keys.slice(0, 64) });
}

/** Forgives the known forks of an author's log. */
export function clearAuthor({ state, root, now }: RootContext, key: PeerKey): Uint8Array {
  const suspended = state.suspended.get(key);
  if (suspended === undefined) throw new DtkdError('NOT_FOUND', 'this member is not suspended');
  return signRootFact(root, { type: 'clearance', by: state.generations.current, time: now, key, epoch: suspended.epoch });
}

export interface RotationKeys {
  /** The recovery key to which the present generation is committed. */
  recovery: SigningKey;
  nextRoot: SigningKey;
  nextRecovery: SigningKey;
}

/** Makes a new root. All present members stay; invites become void. Throws KEY_WRONG. */
export function rotateRoot(state: FoldedState, { recovery, nextRoot, nextRecovery }: RotationKeys, now: number): Uint8Array {
  if (recoveryHash(recovery.publicKey) !== state.generations.recovery) {
    throw new DtkdError('KEY_WRONG', 'this is not the current recovery key of the domain', {
      next:
        state.rotations > 0
          ? 'Each rotation makes a new recovery key; use the latest.'
          : 'Use the key that was printed when the domain was created.',
    });
  }
  const members: Rotation['members'] = [...state.members.values()].map((member) => {
    const cleared = state.cleared.get(member.key);
    return { key: member.key, name: parseNodeName(member.displayName), ...(cleared === undefined ? {} : { cleared }) };
  });
  return signRotation(recovery, {
    type: 'rotation',
    prev: state.generations.current,
    recoveryKey: recovery.publicKey,
    root: nextRoot.publicKey,
    recovery: recoveryHash(nextRecovery.publicKey),
    members,
    removed: removedList(state),
    time: now,
  });
}

/**
 * Removed keys, those that reserve a name first. The list may be cut: a key missing here has no standing certificate, so it is refused
 * anyway.
 */
function removedList(state: FoldedState): Rotation['removed'] {
  const reserved = new Set([...state.reservations.values()].flat());
  return [...state.removed]
    .map(([key, { name, left }]) => ({ key, name: parseNodeName(name), left, reserved: reserved.has(key) }))
    .sort((a, b) => Number(b.reserved) - Number(a.reserved) || compareText(a.key, b.key))
    .slice(0, MAX_ROTATION_REMOVED);
}
