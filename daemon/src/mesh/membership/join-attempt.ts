/** The joiner's side of a join, as functions between messages: what to send, and whether to believe what came. No streams here. */
import { DtkdError } from '../../../../protocol/errors.ts';
import { type DomainId, type NodeName, type PeerKey, parseNodeName } from '../../../../protocol/ids.ts';
import type { SigningKey } from '../../../../protocol/keys/signing.ts';
import { verifyForkProof } from '../../../../protocol/log/log-entry.ts';
import { signEnrolment } from '../../../../protocol/membership/certificate.ts';
import { JOIN_VERSION, type JoinEnrol, type JoinOffer, PADDING } from '../../../../protocol/membership/join.ts';
import type { Token } from '../../../../protocol/membership/token.ts';
import { type FoldedState, fold } from './fold.ts';
import { verifyItems } from './verify.ts';

/** `nonce`: 16 random bytes, kept while the attempt lasts so that a node recognises its own offer. */
export function makeOffer(token: Token, clock: number, nonce: Uint8Array): JoinOffer {
  return { type: 'offer', version: JOIN_VERSION, domain: token.domain, grant: token.grant.bytes, clock, nonce, padding: PADDING };
}

/**
 * Checks that the node which proved `remote` in the Noise handshake is a member of the token's domain under the root in the token. Throws
 * NOT_A_MEMBER, or TOKEN_VOID if the node knows another root. Nothing secret may be sent to the node before this.
 */
export async function checkProof(token: Token, items: readonly Uint8Array[], remote: PeerKey): Promise<void> {
  const state = await foldProof(token.domain, items);
  if (state === undefined) throw notMember();
  const { generations } = state;
  if (state.root !== token.root || generations.current !== token.grant.fact.by) {
    const rotated = generations.past.has(token.grant.fact.by);
    throw new DtkdError(
      'TOKEN_VOID',
      rotated
        ? 'the root key of the domain was replaced after the token was made, so its invites are void'
        : 'the node at this address does not know the root key that made the token',
      {
        next: rotated
          ? 'Ask the founder for a new invite ("dtkd domain invite").'
          : 'Try another node of the domain: this one may not have heard of the new root yet.',
      },
    );
  }
  if (state.name !== token.domainName || !state.members.has(remote)) throw notMember();
}

/** Makes the request for membership. `replace`: the name of a lost machine to take over, which becomes the node's name. */
export function makeEnrolment(token: Token, self: SigningKey, options: { name: string; replace?: string | undefined }): JoinEnrol {
  const replace = options.replace === undefined ? undefined : parseNodeName(options.replace);
  const name: NodeName = replace ?? parseNodeName(options.name);
  const { body, signature, consent } = signEnrolment(token.invite, self, {
    grant: token.grant.id,
    name,
    ...(replace === undefined ? {} : { replace }),
  });
  return { type: 'enrol', enrolment: body, signature, consent };
}

async function foldProof(domain: DomainId, items: readonly Uint8Array[]): Promise<FoldedState | undefined> {
  const { accepted, forks } = await verifyItems({ domain, items: new Map() }, items, verifyForkProof);
  return fold({ domain, items: new Map(accepted.map((item) => [item.id, item])), forks });
}

function notMember(): DtkdError {
  return new DtkdError('NOT_A_MEMBER', 'the node at this address did not prove that it is a member of the domain', {
    next: 'Check the address. The token was not shown to it.',
  });
}
