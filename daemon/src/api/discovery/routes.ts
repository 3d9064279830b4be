/** Serves discovery documents. Each is made once and has an ETag, so that clients that have kept it learn that it is unchanged. */
import { createHash } from 'node:crypto';
import { apiVersionOf } from '../../../../protocol/kinds/kind.ts';
import type { DiscoveredKind } from '../../../../protocol/kinds/review.ts';
import type { AddRoute } from '../reception/reception.ts';
import { answerForm, parseAccept } from '../request/media.ts';
import type { ApiContext } from '../request/request.ts';
import {
  aggregatedDiscovery,
  apiGroupDocument,
  apiGroupList,
  apiResourceList,
  apiVersions,
  SERVED,
  type Subresources,
  subresourcesOf,
} from './discovery.ts';

interface Document {
  text: string;
  etag: string;
}

/** `subresources`: keys `group/plural/subresource`. */
export function addDiscovery(add: AddRoute, subresources: Iterable<string>): void {
  const below = subresourcesOf(subresources);
  addEntry(add, '/api', document(apiVersions()), true, below);
  addEntry(add, '/apis', document(apiGroupList(SERVED)), false, below);
  for (const [path, kind] of new Map(SERVED.map((each) => [basePath(each), each]))) {
    const resources = document(apiResourceList(SERVED, below, kind.group, kind.version));
    add('GET', path, (c) => answer(c, resources));
    if (kind.group === '') continue;
    const group = document(apiGroupDocument(SERVED, kind.group));
    add('GET', `/apis/${kind.group}`, (c) => answer(c, group));
  }
}

export function basePath(kind: Pick<DiscoveredKind, 'group' | 'version'>): string {
  return kind.group === '' ? `/api/${kind.version}` : `/apis/${apiVersionOf(kind)}`;
}

function addEntry(add: AddRoute, path: string, plain: Document, core: boolean, below: Subresources): void {
  const aggregated = {
    v2: document(aggregatedDiscovery(SERVED, below, core, 'v2')),
    v2beta1: document(aggregatedDiscovery(SERVED, below, core, 'v2beta1')),
  };
  add('GET', path, (c) => {
    const accept = c.req.header('accept');
    if (answerForm(accept, ['json', 'discovery']) !== 'discovery') return answer(c, plain);
    const asked = parseAccept(accept).find((range) => range.parameters.get('g') === 'apidiscovery.k8s.io');
    const version = asked?.parameters.get('v') === 'v2beta1' ? 'v2beta1' : 'v2';
    return answer(c, aggregated[version], `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`);
  });
}

function document(value: unknown): Document {
  const text = JSON.stringify(value);
  return { text, etag: `"${createHash('sha256').update(text).digest('hex').slice(0, 32)}"` };
}

function answer(c: ApiContext, { text, etag }: Document, contentType = 'application/json'): Response {
  // clients keep it, and revalidate it each time
  const headers = { etag, vary: 'Accept', 'cache-control': 'private, no-cache' };
  const known = (c.req.header('if-none-match') ?? '').split(',').map((each) => each.trim().replace(/^W\//, ''));
  if (known.includes(etag) || known.includes('*')) return new Response(null, { status: 304, headers });
  return new Response(text, {
    status: 200,
    headers: { ...headers, 'content-type': contentType, 'content-length': String(Buffer.byteLength(text)) },
  });
}
