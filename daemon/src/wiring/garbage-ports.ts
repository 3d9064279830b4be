/**
 * Adapts the daemon to the ports of the garbage collector: a deletion is a request to the API, on behalf of the principal who agreed to it.
 */

import { parseJson } from '../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { kindByPlural } from '../../../protocol/kinds/index.ts';
import { apiVersionOf } from '../../../protocol/kinds/kind.ts';
import { refusedBy } from '../../../protocol/requests/refused-by.ts';
import type { ApiServer } from '../api/server.types.ts';
import { createGarbage } from '../garbage/collector.ts';
import type { DeleteAs, Garbage, GarbageOptions } from '../garbage/garbage.types.ts';
import type { OpenNode } from './node-opening.ts';

/** Requests within the daemon need some host. Nothing listens there. */
const WITHIN = 'http://localhost';

/** Creates the collector, which takes part in the store's transactions from now on. `api` returns the API, once it serves. */
export function garbageOf(
  { node, store, logger }: OpenNode,
  events: GarbageOptions['events'],
  api: () => Pick<ApiServer, 'answer'>,
): Garbage {
  const garbage = createGarbage({ store, node: node.name, deleteAs: deletions(api), events, logger: logger.child({ part: 'garbage' }) });
  store.addParticipant(garbage.participant);
  return garbage;
}

/** Deletes through the API: the same decision, the same handlers, the same line in the audit log. */
export function deletions(api: () => Pick<ApiServer, 'answer'>): DeleteAs {
  return async (principal, { group, plural, namespace, name }, preconditions, propagationPolicy) => {
    const kind = kindByPlural(group, plural);
    if (kind === undefined) throw new DtkdError('INTERNAL', `there is no kind ${plural}`);
    const base = `/${group === '' ? 'api' : 'apis'}/${apiVersionOf(kind)}`;
    const place = kind.scope === 'Cluster' ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
    const request = new Request(`${WITHIN}${base}${place}/${plural}/${encodeURIComponent(name)}`, {
      method: 'DELETE',
      headers: { accept: 'application/json', 'content-type': 'application/json' },
      body: JSON.stringify({ preconditions, ...(propagationPolicy === undefined ? {} : { propagationPolicy }) }),
    });
    const response = await api().answer(request, { own: { principal } });
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (response.status >= 400) throw refusedBy(parseJson(bytes));
  };
}
