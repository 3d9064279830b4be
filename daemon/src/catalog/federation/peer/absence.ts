/** What lists report of a peer that is not asked. Pure. */
import type { NodeStatement } from '../../../../../protocol/objects/completeness.ts';
import type { PeerNode } from '../peer-api.types.ts';

/** Why the peer is not asked. */
export function whyAbsent({ suspended }: Pick<PeerNode, 'suspended'>): string {
  return suspended ? 'it is suspended because its log forked: see "dtkd domain show"' : 'it could not be reached';
}

/** A statement about a peer whose rows are missing, and not known from before. */
export function missing({ namespace: node, suspended }: PeerNode, reason: string): NodeStatement {
  return { node, state: suspended ? 'unasked' : 'unreachable', reason };
}
