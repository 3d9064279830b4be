/**
 * Forwards requests about one object, and writes, in another node's namespace: they are sent to that node on behalf of the caller,
 * and it decides. Objects come back under the name by which the node is known here; refusals come back unchanged. Replicas of
 * shared kinds are read here.
 */

import { DtkdError } from '../../../../protocol/errors.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import { patchRulesOf } from '../../../../protocol/patch/patch-rules.ts';
import { ambiguousNode } from '../../../../protocol/peers/ambiguous-node.ts';
import { MAX_ROW_BYTES } from '../../../../protocol/peers/remote.ts';
import type { UserPrincipal } from '../../../../protocol/rights/principal.ts';
import type { PeerApi, PeerNode, PeerRequest, PeerResponse } from '../../catalog/federation/peer-api.types.ts';
import { iteratedBody } from '../flow/iterated-body.ts';
import { GIVEN_UP, linkSignals } from '../flow/linked-signal.ts';
import { allowRest } from '../listening/reader-patience.ts';
import { answerForm, assertJson, patchForm } from '../request/media.ts';
import { answerObject } from '../request/object-answer.ts';
import { type Api, type ApiContext, answerJson, answerText, readBody, type Target, warn, wholeNumber } from '../request/request.ts';
import { LINES_TYPE, whileKnown } from '../request/streaming.ts';
import { readWritten } from '../request/written-body.ts';
import { incoming, incomingAny, incomingStatus, incomingSuccess, misbehaved, outgoing } from './forwarded-body.ts';

/** How long the owner has to answer, in milliseconds: a write on a busy node waits for its disk. */
const FORWARD_MS = 10_000;
const MAX_FORWARD_MS = 60_000;
/** Maximum size of a refusal, in bytes. */
const MAX_STATUS_BYTES = 64 * 1024;

/** `read`: shared kinds have replicas here. `any`: a subresource, whose answer can be anything. */
export type Forwarded = 'read' | 'write' | 'any';

/** The answer of the node that owns the target; undefined if that is this node, or if the request can be answered here. */
export function forward(api: Api, c: ApiContext, target: Target, sort: Forwarded): Promise<Response> | undefined {
  const { kind, namespace } = target;
  if (api.peers === undefined || kind.scope === 'Cluster' || namespace === '' || namespace === api.node.name) return undefined;
  if (sort === 'read' && kind.shared) return undefined;
  const peer = api.peers.peerNamed(namespace);
  if (peer === undefined) throw unknownNode(api.node.name, api.peers, namespace);
  const principal = c.get('principal');
  if (principal.type === 'operator') throw operatorElsewhere(api, target);
  c.get('note').because = `${namespace} decides`;
  const asked: Asked = { api, c, target, peer, peers: api.peers, user: principal };
  return sort === 'any' ? forwardAction(asked) : forwardObject(asked);
}

interface Asked {
  api: Api;
  c: ApiContext;
  target: Target;
  peer: PeerNode;
  peers: PeerApi;
  user: UserPrincipal;
}

function unknownNode(self: string, peers: PeerApi, namespace: string): DtkdError {
  const claimed = ambiguousNode(
    namespace,
    peers.peers().map((peer) => ({ shown: peer.namespace, claimed: peer.claimedName })),
  );
  if (claimed !== undefined) return claimed;
  const known = [self, ...peers.peers().map((peer) => peer.namespace)];
  return new DtkdError('NOT_FOUND', `no node "${namespace.slice(0, 80)}" is known here`, {
    next:
      known.length === 1
        ? `This node, ${self}, knows no other nodes.`
        : `Known are ${known.slice(0, 16).join(', ')}${known.length > 16 ? ', …' : ''}.`,
  });
}

/** Refuses the operator, whose token has no rights on other nodes. */
function operatorElsewhere(api: Pick<Api, 'node'>, { kind, namespace, name }: Target): DtkdError {
  const what = name === '' ? `namespace "${namespace}"` : `${kind.plural} "${name}" in namespace "${namespace}"`;
  return new DtkdError('FORBIDDEN', `${what} belongs to another node; the operator's token is valid only on ${api.node.name}`, {
    next: `Use a user's token: dtkd user add NAME. Or run the same command on ${namespace}.`,
    details: { owner: namespace },
  });
}

async function forwardObject(asked: Asked): Promise<Response> {
  const { c, target } = asked;
  const form = c.req.method === 'DELETE' ? 'json' : answerForm(c.req.header('accept'));
  const body = await bodyFor(asked);
  return within(asked, body, false, async (response) => {
    const answer = await readAll(response.body, MAX_ROW_BYTES, target.namespace);
    const done = incomingSuccess(answer);
    if (done !== undefined) return answerJson(c, done, response.status);
    const said = incoming(answer, target.kind, target.namespace);
    assertAskedFor(said, target);
    return answerObject(c, target.kind, said, form, response.status);
  });
}

/**
 * The body in the form that the owner takes. It is parsed and serialized again; whatever that loses, such as duplicate fields, is
 * reported here.
 */
async function bodyFor({ c, target: { kind, namespace } }: Asked): Promise<Uint8Array> {
  const { method } = c.req;
  if (method === 'GET' || method === 'DELETE') return readBody(c);
  const contentType = c.req.header('content-type');
  if (method === 'PATCH') patchForm(contentType, patchRulesOf(kind) !== undefined);
  else assertJson(contentType);
  const written = await readWritten(c);
  return written === undefined ? new Uint8Array() : jsonBytes(outgoing(written, namespace));
}

async function forwardAction(asked: Asked): Promise<Response> {
  const { api, c, target } = asked;
  const body = await readBody(c);
  return within(asked, body, true, async (response, keep) => {
    if (!/;\s*stream=/.test(response.contentType)) {
      return answerJson(c, incomingAny(await readAll(response.body, MAX_ROW_BYTES, target.namespace), target.namespace), response.status);
    }
    // the other node relies on this node's word about the caller, so the stream ends when the caller is no longer known here
    const leave = keep();
    const forget = whileKnown(api, c, leave);
    const end = () => {
      forget();
      leave();
    };
    allowRest(c.env?.outgoing);
    const lines = iteratedBody(response.body[Symbol.asyncIterator](), (bytes) => bytes, { end });
    return answerText(c, lines, response.status, LINES_TYPE);
  });
}

/** Sends the request, and makes an answer of the response; an answer that goes on for as long as it likes calls `keep`. */
async function within(
  asked: Asked,
  body: Uint8Array,
  endless: boolean,
  answer: (response: PeerResponse, keep: () => () => void) => Promise<Response>,
): Promise<Response> {
  const { api, c, peer, peers, target } = asked;
  const timeoutMs = Math.min(wholeNumber(c, 'peerTimeoutMs') ?? FORWARD_MS, MAX_FORWARD_MS);
  const late = new AbortController();
  const { signal, release } = linkSignals([late.signal, c.req.raw.signal, api.closing]);
  const timer = setTimeout(() => late.abort(GIVEN_UP), timeoutMs + 1_000);
  let kept = false;
  const end = () => {
    late.abort(GIVEN_UP);
    clearTimeout(timer);
    release();
  };
  try {
    const response = await peers.request(peer, { ...requestOf(asked, body), timeoutMs, endless, signal }).catch((error: unknown) => {
      throw misread(error, target.namespace);
    });
    for (const text of response.warnings) warn(c, text);
    if (response.status >= 400) {
      const status = incomingStatus(await readAll(response.body, MAX_STATUS_BYTES, target.namespace), response.status, target.namespace);
      return answerJson(c, status, response.status);
    }
    if (response.status !== 200 && response.status !== 201) throw misbehaved(target.namespace, `with status ${response.status}`);
    return await answer(response, () => {
      kept = true;
      clearTimeout(timer);
      return end;
    });
  } finally {
    if (!kept) end();
  }
}

function requestOf({ c, target, user }: Asked, body: Uint8Array): Omit<PeerRequest, 'timeoutMs' | 'signal'> {
  const url = new URL(c.req.url);
  const path = url.pathname.replace(`/namespaces/${target.namespace}/`, '/namespaces/default/');
  const parameters = url.searchParams;
  parameters.delete('peerTimeoutMs');
  const fields = parameters.get('fieldSelector');
  if (fields !== null) parameters.set('fieldSelector', ownNamespace(fields, target.namespace));
  const query = parameters.toString();
  const contentType = c.req.header('content-type') ?? '';
  return {
    user,
    method: methodOf(c.req.method),
    path: query === '' ? path : `${path}?${query}`,
    accept: 'application/json',
    ...(body.length === 0 ? {} : { body, contentType: contentType.slice(0, 256) }),
  };
}

/** A field selector in which the owner's namespace is replaced by `default`, which is its name there. */
function ownNamespace(selector: string, namespace: string): string {
  return selector
    .split(',')
    .map((part) => {
      const match = /^(metadata\.namespace|involvedObject\.namespace)(==?|!=)(.*)$/.exec(part.trim());
      return match !== null && match[3] === namespace ? `${match[1]}${match[2]}default` : part;
    })
    .join(',');
}

function methodOf(method: string): PeerRequest['method'] {
  const known = (['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const).find((each) => each === method);
  if (known === undefined) throw new DtkdError('METHOD_NOT_ALLOWED', `${method.slice(0, 20)} is not allowed here`);
  return known;
}

function jsonBytes(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

async function readAll(body: AsyncIterable<Uint8Array>, limit: number, namespace: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body) {
    size += part.length;
    if (size > limit) throw misbehaved(namespace, `with more than ${limit} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** Refuses an answer with another object than the one that was asked for. */
function assertAskedFor({ metadata }: ApiObject, { name, namespace, kind }: Target): void {
  if (name !== '' && metadata.name !== name) throw misbehaved(namespace, `with another of its ${kind.plural} than was asked for`);
}

/** Unreadable bytes are the peer's fault, not the client's. */
function misread(error: unknown, namespace: string): unknown {
  if (!(error instanceof DtkdError) || (error.code !== 'FRAME_INVALID' && error.code !== 'FRAME_TOO_LARGE')) return error;
  return misbehaved(namespace, 'with something that cannot be read');
}
