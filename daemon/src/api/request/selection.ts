import { namespaceKind } from '../../../../protocol/kinds/namespace.ts';
import type { ListQuery } from '../../store/object-store.types.ts';
import { type Api, type ApiContext, namespaceOf, type Target } from './request.ts';

/** A field selector's `default`: as the namespace of objects, and as the name of a namespace. */
const DEFAULT_NAMESPACE = /(^|,)(metadata\.namespace|involvedObject\.namespace)(==?|!=)default(?=,|$)/g;
const DEFAULT_NAME = /(^|,)(metadata\.name)(==?|!=)default(?=,|$)/g;

/** What a list or watch selects, by its path and parameters. */
export function selectionQuery(api: Api, c: ApiContext, target: Target): Omit<ListQuery, 'limit' | 'continue'> {
  const labelSelector = c.req.query('labelSelector');
  const where = c.req.query('where');
  // here, too, `default` means this node
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
