/** The daemon's numbers, for its operator and for users who may read its Node object. */
import { DtkdError } from '../../../protocol/errors.ts';
import { nodeKind } from '../../../protocol/kinds/node.ts';
import { begin, mustGet, refusal } from './deciding.ts';
import { parseAccept } from './media.ts';
import { type Api, type ApiContext, answerText } from './request.ts';

export const METRICS_PATH = '/metrics';
const OPEN_METRICS = 'application/openmetrics-text';

export async function getMetrics(api: Api, c: ApiContext): Promise<Response> {
  const { metrics } = api;
  if (metrics === undefined) throw new DtkdError('NOT_FOUND', 'this daemon keeps no metrics');
  const target = { kind: nodeKind, namespace: '', name: api.node.name };
  begin(c, 'get', target);
  await assertMayRead(api, c, target);
  const { contentType, body } = await metrics.scrape(formOf(c.req.header('accept')));
  return answerText(c, body, 200, contentType);
}

/** That this node is there is no secret to whoever talks to it, so who may not read it is told what is missing. */
async function assertMayRead(api: Api, c: ApiContext, target: Parameters<typeof mustGet>[2]): Promise<void> {
  const principal = c.get('principal');
  const note = c.get('note');
  if (principal.type === 'operator') {
    note.because = 'the operator of this node';
    return;
  }
  const object = await mustGet(api, c, target);
  const { group, plural } = nodeKind;
  const decision = api.access.decide(principal, { verb: 'READ', group, plural, name: target.name, object });
  note.because = decision.allowed ? decision.because : decision.reason;
  if (!decision.allowed) throw refusal(api, c, 'READ', target, decision.reason);
}

/** The first of both forms that the client accepts; the older one for all who say nothing of either. */
function formOf(accept: string | undefined): 'text' | 'openmetrics' {
  for (const { type } of parseAccept(accept)) {
    if (type === OPEN_METRICS) return 'openmetrics';
    if (type === 'text/plain' || type === 'text/*' || type === '*/*') return 'text';
  }
  return 'text';
}
