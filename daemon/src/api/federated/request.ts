/** Decides which requests concern other nodes, too, and what they ask for. */

import { DtkdError } from '../../../../protocol/errors.ts';
import { eventKind } from '../../../../protocol/kinds/event.ts';
import type { Kind } from '../../../../protocol/kinds/kind.ts';
import { nodeKind } from '../../../../protocol/kinds/node.ts';
import { parseFieldSelector } from '../../../../protocol/objects/selectors.ts';
import { OPERATOR, type UserPrincipal } from '../../../../protocol/rights/principal.ts';
import type { FederatedReads, FederatedSelection } from '../../catalog/federation/federation.types.ts';
import { type Api, type ApiContext, type Target, targetOf, wholeNumber } from '../request/request.ts';
import { selectionQuery } from '../request/selection.ts';
import { isRemote } from '../views/visibility.ts';

/** How long each other node has to answer, in milliseconds, unless the client says otherwise. */
const PEER_MS = 2_000;
const MAX_PEER_MS = 60_000;

/** Fields that can be selected in every kind. */
const ALWAYS_SELECTABLE = ['metadata.name', 'metadata.namespace'];

export const OPERATOR_ELSEWHERE = "the operator's token is valid only on this node; use a user's token: dtkd user add NAME";

/** True for kinds whose objects are not replicated, so that their nodes have to be asked. */
function isFederated(kind: Pick<Kind, 'shared' | 'scope'>): boolean {
  return !kind.shared && kind.scope === 'Namespaced';
}

/** The federation and the target of a list or watch that concerns other nodes, too; else undefined. */
export function federatedTarget(api: Api, c: ApiContext, kind: Kind): { federation: FederatedReads; target: Target } | undefined {
  const { federation } = api;
  if (federation === undefined || !isFederated(kind) || isRemote(c.get('principal'))) return undefined;
  const target = whereItHappened(c, targetOf(api, c, kind));
  return target.namespace === '' || federation.isPeer(target.namespace) ? { federation, target } : undefined;
}

/** Restricts a query for events about a Node to that node: they exist nowhere else, so describing a Node need not involve others. */
function whereItHappened(c: ApiContext, target: Target): Target {
  if (target.kind !== eventKind || target.namespace !== '') return target;
  const asked = parseFieldSelector(c.req.query('fieldSelector') ?? '', [...ALWAYS_SELECTABLE, ...eventKind.selectableFields]);
  const about = (path: string) => asked.find((requirement) => requirement.equal && requirement.path === path)?.value;
  return about('involvedObject.kind') === nodeKind.kind ? { ...target, namespace: about('involvedObject.name') ?? '' } : target;
}

/** The user on whose behalf nodes are asked; undefined for the operator, for whom none is. */
export function askingUser(c: ApiContext): UserPrincipal | undefined {
  const principal = c.get('principal');
  return principal.type === OPERATOR ? undefined : principal;
}

export function federatedSelection(api: Api, c: ApiContext, target: Target, user: UserPrincipal, signal: AbortSignal): FederatedSelection {
  const { group: _group, plural: _plural, ...query } = selectionQuery(api, c, target);
  return { ...query, user, kind: target.kind, timeoutMs: peerTimeout(c), signal };
}

function peerTimeout(c: ApiContext): number {
  const timeoutMs = wholeNumber(c, 'peerTimeoutMs') ?? PEER_MS;
  if (timeoutMs >= 1 && timeoutMs <= MAX_PEER_MS) return timeoutMs;
  throw new DtkdError('BAD_REQUEST', `peerTimeoutMs ${timeoutMs} is not between 1 and ${MAX_PEER_MS}`);
}
