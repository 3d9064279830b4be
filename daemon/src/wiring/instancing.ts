/** Wires service instances to modules and commands of dispatch, to objects through the API, and to the nodes and apps known here. */

import { join } from 'node:path';
import { APP_LABEL, dtAppKind, OWNER_LABEL } from '../../../protocol/kinds/dtapp.ts';
import { secretKind } from '../../../protocol/kinds/secret.ts';
import type { Access } from '../access/access.types.ts';
import { decideMove } from '../access/moves.ts';
import type { ApiServer } from '../api/server.types.ts';
import { createServiceInstances } from '../catalog/instances/service-instances.ts';
import type { AppAddresses, ServiceInstances } from '../catalog/instances/service-instances.types.ts';
import type { Logger } from '../logging/logger.types.ts';
import type { Mesh } from '../mesh/mesh.types.ts';
import type { ObjectStore } from '../store/object-store.types.ts';
import type { Dispatching } from './dispatching.ts';
import { commandsOf, objectsOf, placementNodes } from './instance-ports.ts';

export interface InstancingOptions {
  store: ObjectStore;
  node: { name: string; signingKey: string };
  /** The data directory. */
  directory: string;
  access: Access;
  mesh: Mesh;
  dispatching: Pick<Dispatching, 'modules' | 'executions' | 'nodes'>;
  /** The API, once it serves. */
  api(): Pick<ApiServer, 'answer'>;
  logger: Logger;
  now(): number;
}

export function createInstancing(options: InstancingOptions): ServiceInstances {
  const { store, node, directory, access, mesh, dispatching, logger, now } = options;
  return createServiceInstances({
    store,
    node,
    directory: join(directory, 'instances'),
    decide: access.decide.bind(access),
    decideMove: decideMove.bind(undefined, access),
    modules: dispatching.modules,
    commands: commandsOf(dispatching.executions),
    output: { follow: (principal, id, { signal }) => dispatching.executions.follow(principal, id, { signal }) },
    nodes: placementNodes(dispatching.nodes, mesh),
    objects: objectsOf({ answer: (request, from) => options.api().answer(request, from) }),
    secrets: {
      has: async (name) =>
        (await store.get({ group: secretKind.group, plural: secretKind.plural, namespace: node.name, name })) !== undefined,
    },
    apps: appAddresses(store, node.name),
    logger: logger.child({ part: 'instances' }),
    now,
  });
}

/** Finds apps of this node by their names, and those of others by the labels of their copies here. */
function appAddresses(store: Pick<ObjectStore, 'get' | 'list'>, self: string): AppAddresses {
  const { group, plural } = dtAppKind;
  return {
    async uri(node, name) {
      const own = node === self ? await store.get({ group, plural, namespace: self, name }) : undefined;
      const labelSelector = `${APP_LABEL}=${name},${OWNER_LABEL}=${node}`;
      const [copy] = node === self ? [own] : (await store.list({ group, plural, namespace: self, labelSelector, limit: 1 })).items;
      const uri = copy?.['URI'];
      return typeof uri === 'string' ? uri : undefined;
    },
  };
}
