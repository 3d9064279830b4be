/** Asks other nodes for resources, through federation and their APIs, on behalf of a user of this node. */
import { isRecord, parseJson } from '../../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { resourceKind } from '../../../../protocol/kinds/resource.ts';
import { isComplete } from '../../../../protocol/objects/completeness.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import { MAX_BUNDLE_BYTES } from '../../../../protocol/orders/bundle.ts';
import { refusedBy } from '../../../../protocol/requests/refused-by.ts';
import type { UserPrincipal } from '../../../../protocol/rights/principal.ts';
import type { FederatedReads } from '../federation/federation.types.ts';
import type { PeerApi, PeerResponse } from '../federation/peer-api.types.ts';
import type { OtherModels } from './ports.ts';

/** Milliseconds in which other nodes must list what they have. */
const LIST_TIMEOUT_MS = 3_000;
/** Milliseconds in which a node must answer for one object. */
const GET_TIMEOUT_MS = 10_000;
/** Bytes of an answer: a bundle in base64 with its surroundings. */
const MAX_ANSWER_BYTES = 2 * MAX_BUNDLE_BYTES;

export interface OtherModelsOptions {
  federation: Pick<FederatedReads, 'list'>;
  peers: Pick<PeerApi, 'peerNamed' | 'request'>;
}

export function createOtherModels({ federation, peers }: OtherModelsOptions): OtherModels {
  return {
    async list(user, { node, where, limit }) {
      const list = await federation.list({
        user,
        kind: resourceKind,
        ...(node === undefined ? {} : { namespace: node }),
        ...(where === '' ? {} : { where }),
        limit,
        stale: false,
        timeoutMs: LIST_TIMEOUT_MS,
        signal: AbortSignal.timeout(2 * LIST_TIMEOUT_MS),
      });
      const rows: ApiObject[] = [];
      for await (const batch of list.batches) for (const row of batch) rows.push(...rowOf(row));
      const { completeness } = list.end();
      const named = (heard: boolean) => completeness.filter((one) => isComplete([one]) === heard).map((one) => one.node);
      return { rows, answered: named(true), unanswered: named(false) };
    },
    get: (user, node, path) => getJson(peers, user, node, path),
  };
}

/** Federation has checked the rows; their readers parse the fields by schema. */
function rowOf(json: string | Uint8Array): ApiObject[] {
  const value = parseJson(typeof json === 'string' ? Buffer.from(json) : json);
  return isResource(value) ? [value] : [];
}

function isResource(value: unknown): value is ApiObject {
  const metadata = isRecord(value) ? value['metadata'] : undefined;
  return isRecord(metadata) && typeof metadata['name'] === 'string' && typeof metadata['namespace'] === 'string';
}

async function getJson(peers: OtherModelsOptions['peers'], user: UserPrincipal, node: string, path: string): Promise<unknown> {
  const peer = peers.peerNamed(node);
  if (peer === undefined) {
    throw new DtkdError('PEER_AWAY', `no node "${node.slice(0, 80)}" is known here`, { next: 'See "dtkd get nodes".' });
  }
  const response = await peers.request(peer, {
    user,
    method: 'GET',
    path,
    accept: 'application/json',
    timeoutMs: GET_TIMEOUT_MS,
    signal: AbortSignal.timeout(GET_TIMEOUT_MS),
  });
  const body = parseJson(await readAll(response, node));
  if (response.status < 400) return body;
  throw refusedBy(body, node);
}

async function readAll(response: PeerResponse, node: string): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body) {
    size += part.length;
    if (size > MAX_ANSWER_BYTES) throw new DtkdError('FRAME_TOO_LARGE', `${node} answered with more than ${MAX_ANSWER_BYTES} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}
