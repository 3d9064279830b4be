/** dtApps, put together with the mesh, users and their rights, and with where this node itself listens, since an app may not be had from there. */
import type { Access } from '../access/access.types.ts';
import { createApps } from '../apps/apps.ts';
import type { Apps, HostPort } from '../apps/ports.ts';
import type { Mesh } from '../mesh/mesh.types.ts';
import { connectionShares, openFilesLimit } from '../process/open-files.ts';
import { appUsers } from './app-users.ts';
import type { OpenNode } from './node-opening.ts';

export interface AppSharing {
  apps: Apps;
  /** Says of another place that this node listens there. */
  listensAt(place: HostPort): void;
}

export function createAppSharing({ config, node, store, audit, logger }: OpenNode, mesh: Mesh, access: Access): AppSharing {
  // Those that are set are known before they listen, so that no app is judged without them at start.
  const listeners = [config.api, config.ingress, { host: '::', port: config.mesh.port }].filter(({ port }) => port !== 0);
  const apps = createApps({
    store,
    mesh,
    users: appUsers(access, mesh, audit),
    node: { name: node.name, suffix: config.suffix },
    ingress: config.ingress,
    most: connectionShares(openFilesLimit()),
    authorOf: (namespace) => mesh.memberNamed(namespace),
    ownListeners: () => [
      ...listeners,
      ...mesh.domains().flatMap((domain) => (domain.port === undefined ? [] : [{ host: '::', port: domain.port }])),
    ],
    logger: logger.child({ part: 'apps' }),
  });
  return { apps, listensAt: (place) => void listeners.push(place) };
}
