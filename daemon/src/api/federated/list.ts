/**
 * Lists over nodes. A short answer is completed before it is sent, so that its `Warning` headers name every missing node. In a
 * longer one the headers tell what is known by then, and `metadata.completeness` after the rows tells everything. The client's
 * reading speed sets the pace.
 */

import { DtkdError } from '../../../../protocol/errors.ts';
import type { Kind } from '../../../../protocol/kinds/kind.ts';
import { completenessSentences } from '../../../../protocol/objects/completeness.ts';
import { ROWS_MEDIA_TYPE } from '../../../../protocol/peers/remote.ts';
import type { FederatedList } from '../../catalog/federation/federation.types.ts';
import { begin } from '../deciding/deciding.ts';
import { iteratedBody } from '../flow/iterated-body.ts';
import { linkSignals } from '../flow/linked-signal.ts';
import { LIST_PART } from '../reading/row-lines.ts';
import { answerForm } from '../request/media.ts';
import { includeObject } from '../request/object-answer.ts';
import { type Api, type ApiContext, answerText, flag, type Target, versionParameters, warn, wholeNumber } from '../request/request.ts';
import { selectionQuery } from '../request/selection.ts';
import { assertReached, listVersion } from '../request/versions.ts';
import { visibleRows } from '../views/visible-rows.ts';
import { listForm } from './list-form.ts';
import { askingUser, federatedSelection, federatedTarget, OPERATOR_ELSEWHERE } from './request.ts';

/** Characters of an answer that are collected before it is sent. */
const WHOLE_BYTES = 1024 * 1024;

/** The answer to a list that concerns other nodes, too; undefined if it does not. */
export function federatedList(api: Api, c: ApiContext, kind: Kind): Promise<Response> | undefined {
  const found = federatedTarget(api, c, kind);
  if (found === undefined) return undefined;
  const { federation, target } = found;
  const user = askingUser(c);
  const unasked = user === undefined ? federation.unasked(target.namespace || undefined, OPERATOR_ELSEWHERE) : [];
  // without other nodes, the operator's list is an ordinary local one
  if (user === undefined && unasked.length === 0) return undefined;
  begin(c, 'list', target);
  c.get('note').because = 'what its grants show';
  const { exact, atLeast } = listVersion(versionParameters(c));
  assertReached(atLeast, user === undefined ? api.store.version() : federation.version());
  if (exact !== undefined) {
    throw new DtkdError('GONE', 'past lists are not kept', { next: 'List without resourceVersionMatch=Exact.' });
  }
  const limit = wholeNumber(c, 'limit') ?? 0;
  const token = c.req.query('continue') ?? '';
  return answer(api, c, kind, async (signal) => {
    if (user === undefined) return ownList(api, c, target, { limit, token, unasked });
    // a list without a limit may be the start of a watch, whose client must not take absence for deletion
    const stale = c.req.query('stale') === undefined ? limit === 0 && token === '' : flag(c, 'stale');
    const selection = federatedSelection(api, c, target, user, signal);
    return federation.list({ ...selection, limit, stale, ...(token === '' ? {} : { continue: token }) });
  });
}

async function answer(api: Api, c: ApiContext, kind: Kind, open: (signal: AbortSignal) => Promise<FederatedList>): Promise<Response> {
  const name = answerForm(c.req.header('accept'), ['json', 'table', 'metadata', 'rows']);
  const form = listForm(kind, name, includeObject(c));
  const gone = new AbortController();
  const { signal, release } = linkSignals([gone.signal, c.req.raw.signal, api.closing]);
  const end = () => {
    gone.abort();
    release();
  };
  try {
    const list = await open(signal);
    const parts = textParts(list, form)[Symbol.asyncIterator]();
    const begun: string[] = [];
    let size = 0;
    let done = false;
    while (!done && size < WHOLE_BYTES) {
      const part = await parts.next();
      done = part.done === true;
      if (part.done === true) break;
      begun.push(part.value);
      size += part.value.length;
    }
    for (const text of completenessSentences(list.end().completeness)) warn(c, text);
    const contentType = name === 'rows' ? ROWS_MEDIA_TYPE : 'application/json';
    if (done) {
      end();
      return answerText(c, begun.join(''), 200, contentType);
    }
    const left = () => {
      end();
      parts.return(undefined).catch(() => {});
    };
    return answerText(
      c,
      iteratedBody(encoded(begun, parts), (bytes) => bytes, { end: left }),
      200,
      contentType,
    );
  } catch (error) {
    end();
    throw error;
  }
}

async function* textParts(list: FederatedList, form: ReturnType<typeof listForm>): AsyncGenerator<string> {
  let first = true;
  yield form.head(list.resourceVersion);
  for await (const items of list.batches) {
    if (items.length === 0) continue;
    yield form.rows(items, first);
    first = false;
  }
  yield form.tail(list.end());
}

async function* encoded(begun: readonly string[], rest: AsyncIterator<string>): AsyncGenerator<Uint8Array> {
  yield Buffer.from(begun.join(''));
  for (let part = await rest.next(); part.done !== true; part = await rest.next()) yield Buffer.from(part.value);
}

/** The operator's list: this node's rows, and a statement about each other node. */
async function ownList(
  api: Api,
  c: ApiContext,
  target: Target,
  { limit, token, unasked }: { limit: number; token: string; unasked: ReturnType<FederatedList['end']>['completeness'] },
): Promise<FederatedList> {
  const principal = c.get('principal');
  const query = selectionQuery(api, c, target);
  const page = (next: string) =>
    visibleRows(api, principal, { ...query, limit: limit > 0 ? limit : LIST_PART, ...(next === '' ? {} : { continue: next }) });
  const first = await page(token);
  let { continue: next } = first;
  async function* batches(): AsyncGenerator<readonly Uint8Array[]> {
    yield first.items;
    while (limit === 0 && next !== undefined) {
      const following = await page(next);
      next = following.continue;
      yield following.items;
    }
  }
  const { resourceVersion } = first;
  return {
    resourceVersion,
    batches: batches(),
    end: () => ({ resourceVersion, ...(next === undefined ? {} : { continue: next }), completeness: [...unasked] }),
  };
}
