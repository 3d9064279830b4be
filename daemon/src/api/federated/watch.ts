/** Watches over nodes: the same lines as for this node, made from the events of the federation. */
import type { Kind } from '../../../../protocol/kinds/kind.ts';
import type { FederatedReads, FederatedWatchRequest } from '../../catalog/federation/federation.types.ts';
import { begin } from '../deciding/deciding.ts';
import { bookmark, eventLine, type Shape, shaper } from '../reading/watching.ts';
import { type AnswerForm, answerForm } from '../request/media.ts';
import { type Api, type ApiContext, flag, versionParameters, wholeNumber } from '../request/request.ts';
import { statusOf } from '../request/status.ts';
import { answerLines } from '../request/streaming.ts';
import { assertReached, watchTime, watchVersion } from '../request/versions.ts';
import { askingUser, federatedSelection, federatedTarget } from './request.ts';

/**
 * The answer to a watch that concerns other nodes, too; undefined if it does not, and for the operator, for whom no other node is
 * asked.
 */
export function federatedWatch(api: Api, c: ApiContext, kind: Kind): Response | undefined {
  const found = federatedTarget(api, c, kind);
  const user = askingUser(c);
  if (found === undefined || user === undefined) return undefined;
  const { federation, target } = found;
  begin(c, 'watch', target);
  c.get('note').because = 'what its grants show';
  const form = answerForm(c.req.header('accept'));
  const shape = shaper(c, kind, form);
  const timeoutMs = watchTime(wholeNumber(c, 'timeoutSeconds'));
  const { initialEvents, atLeast, resourceVersion } = watchVersion(versionParameters(c));
  assertReached(atLeast, federation.version());
  const { signal: _unused, ...selection } = federatedSelection(api, c, target, user, c.req.raw.signal);
  const byName = target.name === '' ? [] : [`metadata.name=${target.name.replace(/[\\,=]/g, '\\$&')}`];
  const fields = [...(selection.fieldSelector === undefined ? [] : [selection.fieldSelector]), ...byName].join(',');
  const request = {
    ...selection,
    ...(fields === '' ? {} : { fieldSelector: fields }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    bookmarks: flag(c, 'allowWatchBookmarks') || initialEvents,
  };
  federation.check(kind, request);
  const make = (signal: AbortSignal) => lines(api, federation, { ...request, signal }, { form, shape, initialEvents });
  return answerLines(api, c, make, { timeoutMs });
}

async function* lines(
  api: Api,
  federation: FederatedReads,
  request: FederatedWatchRequest,
  { form, shape, initialEvents }: { form: AnswerForm; shape: Shape; initialEvents: boolean },
): AsyncGenerator<string> {
  const { kind } = request;
  let markEnd = initialEvents;
  try {
    for await (const event of await federation.watch(request)) {
      if (event.type !== 'BOOKMARK') {
        yield eventLine(event.type, event.object, shape);
        continue;
      }
      yield JSON.stringify(bookmark(kind, form, { version: event.resourceVersion }, markEnd));
      markEnd = false;
    }
  } catch (error) {
    const about = { group: kind.group, kind: kind.plural };
    const object = statusOf(error, about, (unexpected) => api.logger.error({ err: unexpected }, 'A watch over nodes failed'));
    yield JSON.stringify({ type: 'ERROR', object });
  }
}
