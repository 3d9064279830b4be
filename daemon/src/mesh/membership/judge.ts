/**
 * Whether a node may join: the admitting member's decision, as pure functions of its state and its clock. Each refusal is a DtkdError that
 * says what is wrong and what to do. Nobody judges a certificate by clock or count again later.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import type { PeerKey } from '../../../../protocol/ids.ts';
import { verifySignature } from '../../../../protocol/keys/signing.ts';
import { MAX_CERTIFICATES, MAX_CHAIN_DEPTH, MAX_MEMBERS } from '../../../../protocol/limits.ts';
import { type Enrolment, parseEnrolment, type SignedEnrolment, verifyEnrolment } from '../../../../protocol/membership/certificate.ts';
import { type Grant, isItemOf, type ParsedItem, parseItem } from '../../../../protocol/membership/facts.ts';
import { JOIN_VERSION, type JoinOffer } from '../../../../protocol/membership/join.ts';
import type { FoldedState } from './fold.ts';

/** The oldest supported version of the join messages. */
const OLDEST_JOIN_VERSION = 1;

const ASK_FOR_TOKEN = 'Ask the founder for a new invite ("dtkd domain invite").';

export interface AdmissionContext {
  state: FoldedState;
  self: PeerKey;
  /** The admitter's clock, milliseconds since the epoch. */
  now: number;
  /** The key that the joiner proved in the Noise handshake. */
  joiner: PeerKey;
  /** The joiner's clock according to the joiner. */
  joinerClock: number;
}

/** Judges an offer before anything about the domain is revealed. Returns the grant. */
export function judgeOffer(context: AdmissionContext, offer: JoinOffer): ParsedItem<Grant> {
  if (offer.version < OLDEST_JOIN_VERSION) {
    throw new DtkdError(
      'VERSION_TOO_OLD',
      `the joining node speaks version ${offer.version} of the join protocol, but version ${JOIN_VERSION} is needed`,
      {
        next: 'Install a newer dtkd on the joining node.',
        details: { theirs: offer.version, ours: JOIN_VERSION },
      },
    );
  }
  if (offer.domain !== context.state.domain) {
    throw new DtkdError('TOKEN_WRONG_DOMAIN', 'the token is for another domain than the one that answers at this address', {
      next: 'Check the address, or use a token of this domain.',
    });
  }
  checkSelf(context);
  const grant = readGrant(context.state, offer.grant);
  // A joiner that was admitted already (the answer was lost) is welcome whatever became of the invite since.
  if (standingMember(context) === undefined) judgeGrant(context, grant);
  return grant;
}

/** What the admitter's witness must say, or that the joiner is a member already. */
export type Judgement = { count: number; via: string | undefined } | 'member';

/** Judges the enrolment itself. `grant` passed `judgeOffer` on the same connection, but is judged again because time has passed. */
export function judgeEnrolment(context: AdmissionContext, grant: ParsedItem<Grant>, signed: SignedEnrolment): Judgement {
  const { state, joiner, self } = context;
  checkSelf(context);
  const enrolment = parseEnrolment(signed.body);
  if (enrolment.key === self) {
    throw new DtkdError('OURSELVES', 'the joining node has the same key as the admitting node', {
      next: 'Give the address of another node of the domain.',
    });
  }
  if (enrolment.key !== joiner) throw new DtkdError('SIGNATURE_INVALID', 'the enrolment is for another key than the one that is connected');
  if (enrolment.grant !== grant.id) throw new DtkdError('SIGNATURE_INVALID', 'the enrolment is for another invite than the one offered');
  if (!verifyEnrolment(grant.fact.key, enrolment.key, signed)) {
    throw new DtkdError('SIGNATURE_INVALID', 'the enrolment is not signed with the secret of the invite', { next: ASK_FOR_TOKEN });
  }
  if (standingMember(context) !== undefined) return 'member';
  readGrant(state, grant.bytes);
  judgeGrant(context, grant);
  judgeName(state, grant, enrolment);
  if (state.members.size >= MAX_MEMBERS || state.links.size >= MAX_CERTIFICATES) {
    throw new DtkdError('QUOTA_EXCEEDED', `the domain is full: it has ${state.members.size} members`, {
      next: 'Ask the founder to remove members that are gone, or to rotate the root.',
      details: { members: state.members.size, limit: MAX_MEMBERS },
    });
  }
  return nextWitness(state, self, grant);
}

function checkSelf({ state, self }: AdmissionContext): void {
  if (!state.members.has(self)) {
    throw new DtkdError('NOT_A_MEMBER', 'the node at this address is no longer a member of the domain', {
      next: 'Give the address of another node of the domain.',
    });
  }
  if (state.suspended.has(self)) {
    throw new DtkdError('SUSPENDED', 'the node at this address is suspended and admits nobody', {
      next: 'Give the address of another node of the domain.',
    });
  }
}

function standingMember({ state, joiner }: AdmissionContext) {
  const removed = state.removed.get(joiner);
  if (removed !== undefined) {
    throw new DtkdError('REMOVED', `this key ${removed.left ? 'left' : 'was removed from'} the domain, which is final for it`, {
      next: 'Join again with a new invite; the node then makes a new key.',
    });
  }
  return state.members.get(joiner);
}

function readGrant(state: FoldedState, bytes: Uint8Array): ParsedItem<Grant> {
  const item = parseItem(bytes);
  if (!isItemOf(item, 'grant')) throw new DtkdError('FRAME_INVALID', 'the offer holds no grant');
  const { generations } = state;
  if (item.fact.by !== generations.current) {
    const rotated = generations.past.has(item.fact.by);
    throw new DtkdError(
      'TOKEN_VOID',
      rotated
        ? 'the root key that made this invite was replaced, so its invites are void'
        : 'the invite was not made with the root key that this member knows',
      { next: rotated ? ASK_FOR_TOKEN : 'Try another node of the domain, or ask the founder for a new invite.' },
    );
  }
  if (!verifySignature(state.root, 'fact', item.payload, item.signature)) {
    throw new DtkdError('TOKEN_VOID', 'the invite is not signed by the root key of the domain', { next: ASK_FOR_TOKEN });
  }
  return item;
}

function judgeGrant({ state, now, joinerClock }: AdmissionContext, grant: ParsedItem<Grant>): void {
  const { uses, expires } = grant.fact;
  const invite = state.invites.get(grant.id);
  if (state.facts.revocations.has(grant.id)) {
    throw new DtkdError('TOKEN_REVOKED', 'the invite was revoked by the founder', { next: ASK_FOR_TOKEN });
  }
  if (now > expires) {
    throw new DtkdError(
      'TOKEN_EXPIRED',
      `the invite expired ${duration(now - expires)} ago (it was valid until ${clock(expires)}; the admitting node's clock says ${clock(now)}, ` +
        `the joining node's ${clock(joinerClock)})`,
      {
        next:
          Math.abs(now - joinerClock) > 60_000
            ? `The two clocks differ by ${duration(Math.abs(now - joinerClock))}: correct them, or ask for a new invite.`
            : ASK_FOR_TOKEN,
        details: { expires, admitterClock: now, joinerClock, expiredForMs: now - expires },
      },
    );
  }
  const used = invite?.admitted.length ?? 0;
  if (used >= uses) {
    throw new DtkdError('TOKEN_USED_UP', `the invite was valid for ${uses} ${uses === 1 ? 'node' : 'nodes'}, and ${used} joined with it`, {
      next: ASK_FOR_TOKEN,
      details: { uses, used },
    });
  }
}

function judgeName(state: FoldedState, grant: ParsedItem<Grant>, { name, replace }: Enrolment): void {
  if (replace !== undefined) {
    if (replace !== name) {
      throw new DtkdError('NAME_INVALID', `a node that replaces "${replace}" takes over that name, and cannot be called "${name}"`, {
        next: `Join as "${replace}".`,
      });
    }
    if (grant.fact.replace !== replace) {
      throw new DtkdError('NAME_TAKEN', `the invite does not allow taking over the name "${replace}"`, {
        next: `Ask the founder for one that does ("dtkd domain invite --replace ${replace}").`,
        details: { name: replace },
      });
    }
    return;
  }
  const reserved = state.reservedNames.has(name);
  if (!reserved && !isHeld(state, name)) return;
  const next =
    grant.fact.replace === name
      ? `This invite lets a rebuilt machine take the name over: join with "--replace ${name}".`
      : reserved
        ? `On the founder, free it ("dtkd domain free-name ${state.name} ${name}") or make an invite for its new holder ("dtkd domain invite ${state.name} --replace ${name}").`
        : `A node gets its name at its first start: start it in a new data directory ("dtkd up --name NAME --data DIR"). If it is "${name}" on a machine that lost its data, ask the founder for "dtkd domain invite ${state.name} --replace ${name}".`;
  throw new DtkdError('NAME_TAKEN', `the name "${name}" is ${reserved ? 'reserved for a removed member' : 'taken'} in this domain`, {
    next,
    details: { name, reserved },
  });
}

function isHeld(state: FoldedState, name: string): boolean {
  for (const member of state.members.values()) if (member.displayName === name || member.name === name) return true;
  return false;
}

/** Continues the count after every admission under the invite that is known here, including those on which the admitter itself hangs. */
function nextWitness(state: FoldedState, self: PeerKey, grant: ParsedItem<Grant>): { count: number; via: string | undefined } {
  let highest = state.invites.get(grant.id)?.admitted.length ?? 0;
  for (const { fact } of state.links.values()) {
    if (fact.grant === grant.id && fact.admitter === self) highest = Math.max(highest, fact.count);
  }
  const own = state.members.get(self)?.certificate;
  const anchored = state.anchors.has(self);
  let depth = 0;
  for (let link = anchored ? undefined : own; link !== undefined; depth += 1) {
    if (link.fact.grant === grant.id) highest = Math.max(highest, link.fact.count);
    if (state.anchors.has(link.fact.admitter)) break;
    link = link.fact.via === undefined ? undefined : state.links.get(link.fact.via);
  }
  if (highest >= grant.fact.uses) {
    throw new DtkdError(
      'TOKEN_USED_UP',
      `the invite was valid for ${grant.fact.uses} nodes, and this member knows of ${highest} admissions`,
      {
        next: ASK_FOR_TOKEN,
        details: { uses: grant.fact.uses, used: highest },
      },
    );
  }
  if (depth >= MAX_CHAIN_DEPTH) {
    throw new DtkdError('QUOTA_EXCEEDED', 'the chain of admissions from the root to this member is too long to admit another node', {
      next: 'Join through another member, or wait until the founder has been connected.',
    });
  }
  return { count: highest + 1, via: anchored ? undefined : own?.fact.link };
}

/** A duration as text: the two largest units. */
function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ];
  const shown = parts.filter(([amount]) => amount > 0).slice(0, 2);
  return shown.length === 0 ? '0 s' : shown.map(([amount, unit]) => `${amount} ${unit}`).join(' ');
}

function clock(ms: number): string {
  // Outside the range of Date, show the number itself.
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms);
}
