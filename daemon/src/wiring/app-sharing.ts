/** Wires dtApps to the mesh, to users and their rights, and to the places where this node itself listens, to which no app may lead. */
import type { Access } from '../access/access.types.ts';
import { createApps } from '../apps/apps.ts';
import type { Apps, HostPort } from '../apps/ports.ts';
import type { Mesh } from '../mesh/mesh.types.ts';
import { appUsers } from './app-users.ts';
import type { OpenNode } from './node-opening.ts';

export interface AppSharing {
  apps: Apps;
  /** Adds a place where this node listens. */
  listensAt(place: HostPort): void;
}

export function createAppSharing({ config, node, store, audit, logger, shares }: OpenNode, mesh: Mesh, access: Access): AppSharing {
  // Configured ports are known before anything listens on them, so that no app is judged without them at the start.
  const listeners = [config.api, config.ingress, { host: '::', port: config.mesh.port }].filter(({ port }) => port !== 0);
  const apps = createApps({
    store,
    mesh,
    users: appUsers(access, mesh, audit),
    node: { name: node.name, suffix: config.suffix },
    ingress: config.ingress,
    most: shares,
    authorOf: (namespace) => mesh.memberNamed(namespace),
    ownListeners: () => [
      ...listeners,
      ...mesh.domains().flatMap((domain) => (domain.port === undefined ? [] : [{ host: '::', port: domain.port }])),
    ],
    logger: logger.child({ part: 'apps' }),
  });
  return { apps, listensAt: (place) => void listeners.push(place) };
}
