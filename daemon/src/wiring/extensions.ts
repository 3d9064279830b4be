/** What the API offers beyond storing objects, gathered from the parts of the daemon. */
import { DtkdError } from '../../../protocol/errors.ts';
import { SIGHTLINE_GROUP } from '../../../protocol/kinds/dtdomain.ts';
import type { AccessPart } from '../access/access.ts';
import type { Action, ApiExtensions, KindHandler } from '../api/handlers.types.ts';
import type { Apps } from '../apps/ports.ts';
import type { ServiceInstances } from '../catalog/instances/service-instances.types.ts';
import type { CatalogModel } from '../catalog/model/catalog-model.ts';
import { domainActions, domainHandlers } from '../mesh/controllers/domain-api.ts';
import type { DomainController } from '../mesh/controllers/domain-controller.ts';
import type { Mesh } from '../mesh/mesh.types.ts';
import type { Dispatching } from './dispatching.ts';

export interface ExtensionParts {
  access: AccessPart;
  model: CatalogModel;
  controller: DomainController;
  mesh: Mesh;
  apps: Apps;
  dispatching: Pick<Dispatching, 'kinds' | 'subresources' | 'actions'>;
  instances: ServiceInstances;
  status: Action;
  audit: Action;
  checkup: Action;
  rotate: () => Promise<string>;
}

/** Collects the handlers of kinds, subresources and daemon-wide actions from the parts. */
export function extensions({
  access,
  model,
  controller,
  mesh,
  apps,
  dispatching,
  instances,
  status,
  audit,
  checkup,
  rotate,
}: ExtensionParts): ApiExtensions {
  const handlers = domainHandlers({ mesh, controller });
  const kinds = new Map<string, KindHandler>([
    ...access.kinds,
    ...model.handlers,
    ...dispatching.kinds,
    ...instances.handlers,
    [`${SIGHTLINE_GROUP}/dtdomains`, handlers.dtDomain],
    [`${SIGHTLINE_GROUP}/dtpeers`, handlers.dtPeer],
  ]);
  const subresources = new Map<string, Action>([
    ...apps.actions,
    ...access.subresources,
    ...model.subresources,
    ...dispatching.subresources,
    ...instances.subresources,
  ]);
  for (const [name, action] of domainActions({ mesh, controller })) subresources.set(`${SIGHTLINE_GROUP}/dtdomains/${name}`, action);
  const token: Action = async (request) => {
    if (request.method !== 'POST') throw new DtkdError('METHOD_NOT_ALLOWED', 'use POST to make a new token');
    return { token: await rotate() };
  };
  return {
    kinds,
    subresources,
    actions: new Map<string, Action>([
      ...access.actions,
      ...model.actions,
      ...dispatching.actions,
      ...instances.actions,
      ['status', status],
      ['audit', audit],
      ['checkup', checkup],
      ['token', token],
    ]),
  };
}
