/** ServiceInstance objects: how they are made, and how they change. Pure. */
import type { ServiceFile } from '../../../../../protocol/definitions/service-file.ts';
import { apiVersionOf } from '../../../../../protocol/kinds/kind.ts';
import {
  MAX_DRIFTED,
  type ServiceInstanceFields,
  serviceInstanceKind,
  serviceInstanceSchema,
} from '../../../../../protocol/kinds/service-instance.ts';
import { type ApiObject, type ObjectRef, toTimestamp } from '../../../../../protocol/objects/objects.ts';
import { CREATOR_ANNOTATION, displayOf, type Principal, subjectText } from '../../../../../protocol/rights/principal.ts';
import type { AppliedResource } from '../instances.types.ts';
import type { Author } from '../repository/repository.types.ts';

/** Apps and nodes that the status lists at most. */
const MAX_APPS = 256;
const MAX_NODES = 1_024;

export type InstanceStatus = NonNullable<ServiceInstanceFields['status']>;

export interface Instance {
  object: ApiObject;
  spec: ServiceInstanceFields['spec'];
  status: InstanceStatus;
}

export function instanceRef(node: string, name: string): ObjectRef {
  return { group: serviceInstanceKind.group, plural: serviceInstanceKind.plural, namespace: node, name };
}

/** Undefined: not a service instance. */
export function instanceOf(object: ApiObject | undefined): Instance | undefined {
  const fields = object === undefined ? undefined : serviceInstanceSchema.safeParse(object).data;
  if (object === undefined || fields === undefined) return undefined;
  return { object, spec: fields.spec, status: fields.status ?? { phase: 'Staged' } };
}

/** True if nothing of it is applied. */
export function isDown({ status }: Instance): boolean {
  return status.phase === 'Staged' || status.phase === 'Deleted';
}

/** The spec that follows from the service file. */
function specOf(service: ServiceFile, directory: string): ServiceInstanceFields['spec'] {
  const { module, version, assembly, role, kind, target } = service;
  return {
    module,
    version,
    assembly,
    ...(role === undefined ? {} : { role }),
    ...(kind === undefined ? {} : { kind }),
    ...(target === undefined ? {} : { target }),
    directory,
  };
}

export function newInstance(
  { node, principal, directory, head }: { node: string; principal: Principal; directory: string; head: string | undefined },
  service: ServiceFile,
): ApiObject {
  return {
    apiVersion: apiVersionOf(serviceInstanceKind),
    kind: serviceInstanceKind.kind,
    metadata: {
      name: service.name,
      namespace: node,
      uid: '',
      resourceVersion: '',
      generation: 1,
      creationTimestamp: '',
      ...(principal.type === 'user' ? { annotations: { [CREATOR_ANNOTATION]: subjectText(principal) } } : {}),
    },
    spec: specOf(service, directory),
    status: { phase: 'Staged', ...(head === undefined ? {} : { head }) },
  };
}

/**
 * The object with a changed status, and with the spec of `service` if that is given. Each call increments the generation, so that
 * even a call without changes writes the object: the rules of the model allow changes to what belongs to an instance only in a
 * transaction that writes its object.
 */
export function changedInstance(
  { object, spec, status }: Instance,
  change: Partial<Record<keyof InstanceStatus, unknown>>,
  service?: ServiceFile,
): ApiObject {
  const merged = Object.fromEntries(Object.entries({ ...status, ...change }).filter(([, value]) => value !== undefined));
  return {
    ...object,
    metadata: { ...object.metadata, generation: object.metadata.generation + 1 },
    spec: service === undefined ? spec : specOf(service, spec.directory),
    status: merged,
  };
}

/** The part of the status that describes what is applied. */
export function appliedStatus(
  applied: Iterable<AppliedResource>,
  apps: readonly { name: string; node: string }[],
): Pick<InstanceStatus, 'resources' | 'nodes' | 'apps' | 'drift'> {
  const rows = [...applied];
  return {
    drift: driftOf(rows),
    resources: rows.length,
    nodes: [...new Set(rows.map(({ node }) => node))].sort().slice(0, MAX_NODES),
    apps: apps.slice(0, MAX_APPS).map(({ name, node }) => ({ name, node })),
  };
}

function driftOf(rows: readonly AppliedResource[]): InstanceStatus['drift'] {
  const drifted = rows.filter(({ check }) => check?.ok === false);
  if (drifted.length === 0) return undefined;
  const at = Math.max(...drifted.map(({ check }) => check?.at ?? 0));
  return { at: toTimestamp(at), resources: drifted.map(({ name }) => name).slice(0, MAX_DRIFTED) };
}

export function readyStatus(commit: string, now: number): Pick<InstanceStatus, 'phase' | 'head' | 'applied' | 'appliedAt' | 'message'> {
  return { phase: 'Ready', head: commit, applied: commit, appliedAt: toTimestamp(now), message: undefined };
}

/** The git author for a principal. */
export function authorOf(principal: Principal, node: string): Author {
  const name = displayOf(principal);
  return { name, email: name.includes('@') ? name : `${name}@${node}` };
}
