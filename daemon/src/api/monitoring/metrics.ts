/**
 * The daemon's metrics, for its operator and for users of this node who were granted READ on `metrics`. That name is a grant of its
 * own, separate from the kinds: READ on the Node object, which every user has, reveals nothing of who does what when.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import { DTKD_GROUP } from '../../../../protocol/kinds/model.ts';
import type { GrantableAct } from '../../../../protocol/rights/capability.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';
import type { Decision } from '../../access/access.types.ts';
import { begin, refusal } from '../deciding/deciding.ts';
import { parseAccept } from '../request/media.ts';
import { type Api, type ApiContext, answerText } from '../request/request.ts';

export const METRICS_PATH = '/metrics';
const OPEN_METRICS = 'application/openmetrics-text';
const METRICS: GrantableAct = 'metrics';

export async function getMetrics(api: Api, c: ApiContext): Promise<Response> {
  const { metrics } = api;
  if (metrics === undefined) throw new DtkdError('NOT_FOUND', 'this daemon keeps no metrics');
  const kind = { group: DTKD_GROUP, plural: METRICS };
  const { name } = api.node;
  begin(c, 'get', { kind, namespace: '', name });
  const decision = decideMetrics(api, c.get('principal'));
  c.get('note').because = decision.allowed ? decision.because : decision.reason;
  if (!decision.allowed) throw refusal(api, c, 'READ', { kind, name }, decision.reason);
  const { contentType, body } = await metrics.scrape(formOf(c.req.header('accept')));
  return answerText(c, body, 200, contentType);
}

/** Decides who may read the metrics; reviews of access use it, too. */
export function decideMetrics({ access, node }: Pick<Api, 'access' | 'node'>, principal: Principal): Decision {
  return access.decide(principal, { verb: 'READ', group: DTKD_GROUP, plural: METRICS, name: node.name });
}

/** The first of the two formats that the client accepts; the older one for clients that name neither. */
function formOf(accept: string | undefined): 'text' | 'openmetrics' {
  for (const { type } of parseAccept(accept)) {
    if (type === OPEN_METRICS) return 'openmetrics';
    if (type === 'text/plain' || type === 'text/*' || type === '*/*') return 'text';
  }
  return 'text';
}
