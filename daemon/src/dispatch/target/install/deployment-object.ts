/** The Deployment object that shows a resource as installed here. Pure. */
import { createHash } from 'node:crypto';
import type { CodeRef } from '../../../../../protocol/definitions/code.ts';
import { type DeploymentFields, deploymentKind } from '../../../../../protocol/kinds/deployment.ts';
import { apiVersionOf } from '../../../../../protocol/kinds/kind.ts';
import { type ApiObject, type ObjectRef, toTimestamp } from '../../../../../protocol/objects/objects.ts';
import type { BundledResource } from '../../../../../protocol/orders/bundle.ts';

const NAME_PART = 200;

/** The Deployment of one owner's resource. Resources of two owners are separate deployments even if they have the same name. */
export function deploymentRef(node: string, owner: string, object: string): ObjectRef {
  const hash = createHash('sha256').update(`${owner}\n${object}`).digest('hex').slice(0, 10);
  const name = `${object.slice(0, NAME_PART).replace(/[.-]+$/, '')}-${hash}`;
  return { group: deploymentKind.group, plural: deploymentKind.plural, namespace: node, name };
}

export interface DeploymentFacts {
  owner: { node: string; key: string };
  resource: BundledResource;
  revision: number;
  directory: string;
  code: readonly CodeRef[];
  phase: NonNullable<DeploymentFields['status']>['phase'];
  /** Milliseconds since the epoch. */
  at: number;
  message?: string | undefined;
}

export function deploymentObject(node: string, facts: DeploymentFacts, before: ApiObject | undefined): ApiObject {
  const { owner, resource, revision, directory, code, phase, at, message } = facts;
  const { object, uid, model, type, name } = resource;
  const ref = deploymentRef(node, owner.key, object);
  const fields: DeploymentFields = {
    spec: { owner, resource: object, uid, model, type, name, revision },
    status: {
      phase,
      directory,
      code: [...code],
      ...(phase === 'Installed' ? { installedAt: toTimestamp(at) } : {}),
      ...(message === undefined ? {} : { message: message.slice(0, 1_024) }),
    },
  };
  const fresh = { name: ref.name, namespace: node, uid: '', resourceVersion: '', generation: 1, creationTimestamp: '' };
  return {
    ...(before ?? { metadata: fresh }),
    metadata: before?.metadata ?? fresh,
    apiVersion: apiVersionOf(deploymentKind),
    kind: deploymentKind.kind,
    ...fields,
  };
}
