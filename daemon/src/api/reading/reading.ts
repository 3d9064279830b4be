/** Handles get and list: as JSON, Table or metadata only; lists also as rows. */

import { dtAppKind } from '../../../../protocol/kinds/dtapp.ts';
import type { Kind } from '../../../../protocol/kinds/kind.ts';
import { namespaceKind } from '../../../../protocol/kinds/namespace.ts';
import { partialMetadata, renderTable } from '../../../../protocol/kinds/table.ts';
import { ROWS_MEDIA_TYPE } from '../../../../protocol/peers/remote.ts';
import type { RawListPage } from '../../store/local-store.types.ts';
import type { ListQuery } from '../../store/object-store.types.ts';
import { begin, mustGet, mustGetRaw, seen } from '../deciding/deciding.ts';
import { onward, type Soon } from '../flow/soon.ts';
import { forward } from '../forwarding/forwarding.ts';
import { type AnswerForm, answerForm } from '../request/media.ts';
import { answerObject, includeObject } from '../request/object-answer.ts';
import {
  type Api,
  type ApiContext,
  answerJson,
  answerText,
  type Target,
  targetOf,
  versionParameters,
  warn,
  wholeNumber,
} from '../request/request.ts';
import { selectionQuery } from '../request/selection.ts';
import { assertReached, listVersion } from '../request/versions.ts';
import { isRemote } from '../views/visibility.ts';
import { visibleObjects, visibleRows } from '../views/visible-rows.ts';
import { COMMA, joined, LIST_END, listHead, separated } from './list-bytes.ts';
import { pagesAfter } from './pages-ahead.ts';
import { LIST_PART, rowLines } from './row-lines.ts';

/** Maximum number of rows in one page for a user of another node. A page is built in memory, and one node may ask for many at once. */
const MAX_REMOTE_PAGE = 2 * LIST_PART;

export function getObject(api: Api, c: ApiContext, kind: Kind): Soon<Response> {
  const target = targetOf(api, c, kind);
  begin(c, 'get', target);
  const elsewhere = forward(api, c, target, 'read');
  if (elsewhere !== undefined) return elsewhere;
  const form = answerForm(c.req.header('accept'));
  // the operator sees everything, so it gets the stored JSON as it is
  if (form === 'json' && c.get('principal').type === 'operator') return onward(mustGetRaw(api, target), (json) => answerText(c, json));
  return mustGet(api, c, target).then((object) => answerObject(c, kind, seen(api, c, target, object), form));
}

export function listObjects(api: Api, c: ApiContext, kind: Kind): Soon<Response> {
  const target = targetOf(api, c, kind);
  begin(c, 'list', target);
  const form = answerForm(c.req.header('accept'), ['json', 'table', 'metadata', 'rows']);
  const limit = pageLimit(c, wholeNumber(c, 'limit') ?? 0, form === 'json' || form === 'rows');
  const token = c.req.query('continue') ?? '';
  const { exact, atLeast } = listVersion(versionParameters(c));
  assertReached(exact ?? atLeast, api.store.version());
  const query: ListQuery = {
    ...selectionQuery(api, c, target),
    limit,
    ...(token === '' ? {} : { continue: token }),
    ...(exact === undefined ? {} : { version: exact, exact: true }),
  };
  c.get('note').because = 'what its grants show';
  return onward(warnOfElsewhere(api, c, target), () => answerList(api, c, kind, query, form));
}

function answerList(api: Api, c: ApiContext, kind: Kind, query: ListQuery, form: AnswerForm): Soon<Response> {
  switch (form) {
    case 'rows':
      return rowLines(api, c, query).then((lines) => answerText(c, lines, 200, ROWS_MEDIA_TYPE));
    case 'json':
      if (query.limit === 0) return answerWhole(api, c, kind, query);
      return onward(visibleRows(api, c.get('principal'), query), (page) => answerText(c, joined(kind, page)));
    default:
      return answerParsed(api, c, kind, query, form);
  }
}

async function answerParsed(api: Api, c: ApiContext, kind: Kind, query: ListQuery, form: AnswerForm): Promise<Response> {
  const page = await visibleObjects(api, c.get('principal'), query);
  const metadata = { resourceVersion: page.resourceVersion, ...(page.continue === undefined ? {} : { continue: page.continue }) };
  if (form === 'table') return answerJson(c, renderTable(kind, page.items, { now: Date.now(), includeObject: includeObject(c), metadata }));
  return answerJson(c, {
    kind: 'PartialObjectMetadataList',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    items: page.items.map((object) => partialMetadata(object)),
  });
}

/**
 * Warns about a list in another node's namespace. If no such node is known, the name is most often mistyped. For shared kinds the
 * other node is not asked for what it publishes, and a caller who finds less here than there should know why.
 */
function warnOfElsewhere(api: Api, c: ApiContext, { kind, namespace }: Target): Soon<void> {
  if (namespace === '' || namespace === api.node.name) return;
  const { group, plural } = namespaceKind;
  return api.store.get({ group, plural, namespace: '', name: namespace }).then((node) => {
    if (node === undefined) warn(c, `no node "${namespace.slice(0, 80)}" is known here; the namespaces are the nodes that are`);
    else if (kind.shared) {
      const copies =
        kind === dtAppKind ? `; the apps of other nodes that can be opened here, with their URIs, are in namespace "${api.node.name}"` : '';
      warn(c, `${kind.plural} in namespace "${namespace}" are those that ${namespace} has published to this node${copies}`);
    }
  });
}

/** The page size: what the caller asks for, within what a page may have. */
function pageLimit(c: ApiContext, asked: number, streams: boolean): number {
  const isBounded = !isRemote(c.get('principal')) || (asked === 0 ? streams : asked <= MAX_REMOTE_PAGE);
  return isBounded ? asked : MAX_REMOTE_PAGE;
}

/** Answers a list without a limit: at once if it is short, else in parts, so that its size costs no memory. */
async function answerWhole(api: Api, c: ApiContext, kind: Kind, query: ListQuery): Promise<Response> {
  const principal = c.get('principal');
  const first = await visibleRows(api, principal, { ...query, limit: LIST_PART });
  if (first.continue === undefined) return answerText(c, joined(kind, first));
  async function* parts(page: RawListPage): AsyncGenerator<Uint8Array> {
    yield Buffer.concat([Buffer.from(listHead(kind, { resourceVersion: page.resourceVersion })), ...separated(page.items)]);
    let empty = page.items.length === 0;
    const read = (next: string) => visibleRows(api, principal, { ...query, limit: LIST_PART, continue: next });
    for await (const following of pagesAfter(page, read)) {
      if (following.items.length > 0) yield Buffer.concat([...(empty ? [] : [COMMA]), ...separated(following.items)]);
      empty &&= following.items.length === 0;
    }
    yield LIST_END;
  }
  return answerText(c, ReadableStream.from(parts(first)));
}
