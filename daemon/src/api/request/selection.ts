import { namespaceKind } from '../../../../protocol/kinds/namespace.ts';
import type { ListQuery } from '../../store/object-store.types.ts';
import { type Api, type ApiContext, namespaceOf, type Target } from './request.ts';

/** Where a field selector says `default`: of objects with a namespace, and of namespaces themselves. */
const DEFAULT_NAMESPACE = /(^|,)(metadata\.namespace|involvedObject\.namespace)(==?|!=)default(?=,|$)/g;
const DEFAULT_NAME = /(^|,)(metadata\.name)(==?|!=)default(?=,|$)/g;

/** What a list or watch selects, out of its path and parameters. */
export function selectionQuery(api: Api, c: ApiContext, target: Target): Omit<ListQuery, 'limit' | 'continue'> {
  const labelSelector = c.req.query('labelSelector');
  const where = c.req.query('where');
  // a client that writes `default` means this node here, too
  const ofNode = target.kind === namespaceKind ? DEFAULT_NAME : DEFAULT_NAMESPACE;
  const fieldSelector = c.req.query('fieldSelector')?.replace(ofNode, `$1$2$3${namespaceOf(api, 'default')}`);
  return {
    group: target.kind.group,
    plural: target.kind.plural,
    ...(target.namespace === '' ? {} : { namespace: target.namespace }),
    ...(labelSelector === undefined ? {} : { labelSelector }),
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
    ...(where === undefined ? {} : { where }),
  };
}
