/** Refuses writes to objects in other nodes' namespaces, to replicas and to projections. */
import { DtkdError } from '../../../../protocol/errors.ts';
import { OWNER_LABEL } from '../../../../protocol/kinds/dtapp.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { ObjectStore } from '../../store/object-store.types.ts';
import { type Api, refOfTarget, type Target } from '../request/request.ts';

/** Refuses writes into the namespace of another node. */
export function assertWritableHere(api: Api, target: Target, object?: ApiObject): void {
  if (target.kind.scope === 'Cluster') return;
  if (target.namespace === '') {
    throw new DtkdError('METHOD_NOT_ALLOWED', 'objects are written in a namespace, not in all of them', {
      next: `Use the path …/namespaces/${api.node.name}/${target.kind.plural}.`,
    });
  }
  if (target.namespace === api.node.name) return;
  const what = object === undefined ? `namespace "${target.namespace}"` : `${target.kind.plural} "${target.name}"`;
  throw new DtkdError('FORBIDDEN', `${what} belongs to node "${target.namespace}"; this is "${api.node.name}", which cannot write there`, {
    next: `Run the same command on ${target.namespace}.`,
  });
}

/** Refuses writes to objects that are not this node's own: replicas and projections. */
export async function assertOwn(
  store: Pick<ObjectStore, 'originOf'>,
  target: Target,
  object: ApiObject,
  what: 'changed' | 'deleted',
): Promise<void> {
  const origin = await store.originOf(refOfTarget(target));
  if (origin === undefined || origin === 'own') return;
  // A replica of a cluster-scoped kind has its owner's name.
  const owner =
    object.metadata.labels?.[OWNER_LABEL] ?? (origin === 'replica' && target.kind.scope === 'Cluster' ? target.name : undefined);
  if (owner === undefined) {
    throw new DtkdError('FORBIDDEN', `${target.kind.plural} "${target.name}" is kept by the daemon itself and cannot be ${what}`);
  }
  throw new DtkdError('FORBIDDEN', `${target.kind.plural} "${target.name}" is this node's copy of an object that belongs to "${owner}"`, {
    next: `It can be ${what} on ${owner}.`,
    details: { owner },
  });
}
