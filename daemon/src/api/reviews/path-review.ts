/** Reviews whether the caller may use a path that is not an object's. */
import { DAEMON_GROUP } from '../discovery/discovery.ts';
import { decideMetrics, METRICS_PATH } from '../monitoring/metrics.ts';
import type { Api, ApiContext } from '../request/request.ts';
import { isRemote } from '../views/visibility.ts';
import { verdictOf } from './resource-review.ts';
import type { Verdict } from './review.types.ts';

/** Open without a token, or with any. */
const FOR_ANYBODY = /^\/(healthz|livez|readyz|version|openapi(\/.*)?|reference(\/.*)?|api(\/v1)?|apis(\/[a-z0-9.-]+(\/v1)?)?)\/?$/;
const DAEMON = `/apis/${DAEMON_GROUP}/v1/daemon/`;

export function reviewPath(api: Api, c: ApiContext, path: string): Verdict {
  const principal = c.get('principal');
  if (FOR_ANYBODY.test(path)) return { allowed: true, reason: 'it is open to anybody' };
  if (principal.type === 'operator') return { allowed: true, reason: 'the operator of this node' };
  if (path === METRICS_PATH) {
    return verdictOf(decideMetrics(api, principal));
  }
  if (path.startsWith(DAEMON)) {
    const name = path.slice(DAEMON.length).split('/')[0] ?? '';
    const open = api.extensions.actions.get(name)?.open;
    if (open === 'anybody' || (open === 'user' && !isRemote(principal))) return { allowed: true, reason: 'it is open to users' };
  }
  return { allowed: false, reason: `"${path.slice(0, 253)}" of ${api.node.name} is for its operator` };
}
