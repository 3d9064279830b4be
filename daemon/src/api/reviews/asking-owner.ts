/**
 * Asks another node about the rights that one of this node's users has there. The answer is validated, and only shown: no decision
 * rests on it.
 */
import { z } from 'zod';
import { parseJson } from '../../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { Kind } from '../../../../protocol/kinds/kind.ts';
import { type AccessRules, accessRules } from '../../../../protocol/kinds/review.ts';
import type { CapabilityVerb } from '../../../../protocol/rights/capability.ts';
import type { UserPrincipal } from '../../../../protocol/rights/principal.ts';
import type { PeerApi, PeerNode } from '../../catalog/federation/peer-api.types.ts';
import { linkSignals } from '../flow/linked-signal.ts';
import type { Api, ApiContext } from '../request/request.ts';
import type { Verdict } from './review.types.ts';

/** How long the other node has to answer, in milliseconds. */
const OWNER_MS = 2_000;
/** Maximum size of its answer, in bytes. */
const MAX_ANSWER = 256 * 1024;

const reason = z.string().max(2048);
const canAnswer = z.discriminatedUnion('allowed', [
  z.object({ allowed: z.literal(true), because: reason.default('') }),
  z.object({ allowed: z.literal(false), reason: reason.default('') }),
]);

export interface OwnerQuestion {
  namespace: string;
  kind: Pick<Kind, 'group' | 'plural'>;
  right: CapabilityVerb;
  name: string;
}

export async function askOwner(api: Api, c: ApiContext, { namespace, kind, right, name }: OwnerQuestion): Promise<Verdict> {
  const what = `${kind.plural}${kind.group === '' ? '' : `.${kind.group}`}${name === '' ? '' : `/${name}`}`;
  const query = new URLSearchParams({ verb: right, what });
  const found = await ask(api, c, namespace, `/apis/dtkd.dev/v1/daemon/can?${query}`, canAnswer);
  if ('failed' in found) return { allowed: false, reason: '', ...found.failed };
  const { answer } = found;
  return { allowed: answer.allowed, reason: `${namespace} says: ${answer.allowed ? answer.because : answer.reason}` };
}

export async function rulesElsewhere(api: Api, c: ApiContext, namespace: string): Promise<AccessRules> {
  const found = await ask(api, c, namespace, '/apis/dtkd.dev/v1/daemon/rules', accessRules);
  if ('answer' in found) return found.answer;
  return { resourceRules: [], incomplete: found.failed.evaluationError ?? found.failed.reason ?? `${namespace} was not asked` };
}

type Failed = { failed: { reason?: string; evaluationError?: string } };

async function ask<T>(api: Api, c: ApiContext, namespace: string, path: string, schema: z.ZodType<T>): Promise<{ answer: T } | Failed> {
  const { peers } = api;
  const peer = peers?.peerNamed(namespace);
  if (peers === undefined || peer === undefined) return { failed: { reason: `no node "${namespace}" is known here` } };
  const principal = c.get('principal');
  if (principal.type === 'operator')
    return { failed: { reason: `${namespace} is another node; the operator's token is valid only on ${api.node.name}` } };
  try {
    return { answer: await answerOf(peers, peer, { user: principal, path, signals: [c.req.raw.signal, api.closing] }, schema) };
  } catch (error) {
    const why = error instanceof DtkdError ? error.message : `${namespace} answered with something that cannot be read`;
    if (!(error instanceof DtkdError) && !(error instanceof z.ZodError))
      api.logger.warn({ err: error, node: namespace }, 'Rights could not be asked for');
    return { failed: { evaluationError: why } };
  }
}

async function answerOf<T>(
  peers: PeerApi,
  peer: PeerNode,
  { user, path, signals }: { user: UserPrincipal; path: string; signals: readonly AbortSignal[] },
  schema: z.ZodType<T>,
): Promise<T> {
  const { signal, release } = linkSignals([...signals]);
  try {
    const response = await peers.request(peer, { user, method: 'GET', path, accept: 'application/json', timeoutMs: OWNER_MS, signal });
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const part of response.body) {
      size += part.length;
      if (size > MAX_ANSWER) throw new DtkdError('TOO_LARGE', `${peer.namespace} answered with more than ${MAX_ANSWER} bytes`);
      parts.push(part);
    }
    const body = parseJson(Buffer.concat(parts));
    if (response.status === 200) return schema.parse(body);
    const { message } = z.object({ message: reason }).parse(body);
    throw new DtkdError('PEER_AWAY', `${peer.namespace} did not say: ${message}`);
  } finally {
    release();
  }
}
