/** Wires the parts into the API, which serves clients over HTTPS and a socket, and members over the mesh. */
import { hostname } from 'node:os';
import { join } from 'node:path';
import { REMOTE_API_PROTOCOL } from '../../../protocol/peers/remote.ts';
import type { AccessPart } from '../access/access.ts';
import { auditAction } from '../access/audit/audit-action.ts';
import type { AuditWitnessing } from '../access/audit/witnessing.ts';
import type { ApiBackups } from '../api/api.types.ts';
import type { Action } from '../api/handlers.types.ts';
import { createRemoteApiServer } from '../api/remote/serving.ts';
import { startApiServer } from '../api/server.ts';
import type { ApiServer } from '../api/server.types.ts';
import type { Apps } from '../apps/ports.ts';
import type { ServiceInstances } from '../catalog/instances/service-instances.types.ts';
import type { CatalogModel } from '../catalog/model/catalog-model.ts';
import type { Garbage } from '../garbage/garbage.types.ts';
import type { DomainController } from '../mesh/controllers/domain-controller.ts';
import type { Mesh } from '../mesh/mesh.types.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { failuresOf, readinessChecks } from '../metrics/readiness.ts';
import type { Parcels } from '../parcels/parcels.types.ts';
import { API_SOCKET } from '../process/data-directory.ts';
import { daemonStatus } from '../status.ts';
import { VERSION } from '../version.ts';
import { checkupAction } from './checkup-ports.ts';
import type { Credentials } from './credentials.ts';
import type { Dispatching } from './dispatching.ts';
import { extensions } from './extensions.ts';
import type { Federating } from './federating.ts';
import { metricAreas } from './metric-areas.ts';
import type { OpenNode } from './node-opening.ts';

export interface ServedParts extends Federating {
  credentials: Credentials;
  access: AccessPart;
  model: CatalogModel;
  mesh: Mesh;
  controller: DomainController;
  witnessing: AuditWitnessing;
  apps: Apps;
  garbage: Garbage;
  dispatching: Dispatching;
  instances: ServiceInstances;
  backups: ApiBackups;
  parcels: Parcels;
}

/** Starts the API. Resolves when it answers requests of clients. */
export async function startServing(opened: OpenNode, parts: ServedParts): Promise<ApiServer> {
  const { config, startedAt, now, logger, stops, node, directory, gid, store, audit } = opened;
  const { credentials, access, mesh, witnessing, apps, garbage, peers, federation, dispatching } = parts;
  const checks = readinessChecks({ store, directory, domains: () => mesh.domains(), logger: logger.child({ part: 'readiness' }) });
  // Shared by status, checkup and metrics.
  const shared = { node: node.name, version: VERSION, mesh, apps, dispatching, audit, witnessing, checks, store, now };
  const areas = metricAreas({ ...shared, directory, peers, federation, api: () => api });
  const status: Action = async () =>
    daemonStatus({
      config,
      name: node.name,
      version: VERSION,
      startedAt,
      apiUrl: api.url,
      ingress: apps.ingressAddress(),
      mesh,
      apps,
      dispatch: dispatching,
      failures: async () => [...opened.damage, ...(await failuresOf(checks))],
      clock: () => access.clockConditions(),
      audit: { conditions: () => [...audit.conditions(), ...witnessing.conditions()], counters: () => audit.counters() },
    });
  const api = await startApiServer({
    store,
    node,
    extensions: extensions({
      ...parts,
      status,
      audit: auditAction({ audit, gather: () => witnessing.gather() }),
      checkup: checkupAction({ ...shared, config, access }),
      rotate: async () => {
        const token = await credentials.tokens.rotate();
        access.tokenEnded();
        return token;
      },
    }),
    content: dispatching.content,
    parcels: parts.parcels,
    backups: parts.backups,
    hasDependents: (uid, counts) => garbage.hasDependents(uid, counts),
    audit,
    access,
    peers,
    federation,
    checks,
    metrics: createMetrics({ areas, logger: logger.child({ part: 'metrics' }) }),
    logger: logger.child({ part: 'api' }),
    version: VERSION,
    hosts: [hostname(), config.api.host],
    maxConnections: opened.shares.connections,
    listen: config.api,
    certificate: credentials.certificate,
    renewCertificate: credentials.renewCertificate,
    socket: { path: join(directory, API_SOCKET), gid },
  });
  stops.push(() => api.close());
  return api;
}

/** Serves the API to members as well, on behalf of their users. */
export function serveMembers(
  { logger, stops }: OpenNode,
  api: ApiServer,
  { mesh, access, peerTable }: Pick<ServedParts, 'mesh' | 'access' | 'peerTable'>,
): void {
  const remoteApi = createRemoteApiServer({
    fetch: (request, from) => api.answer(request, from),
    access,
    namespaceOf: (domain, key) => peerTable.byKey(domain, key)?.namespace,
    logger: logger.child({ part: 'remote-api' }),
  });
  mesh.handle(REMOTE_API_PROTOCOL, (stream, from) => remoteApi.serve(stream, from));
  stops.push(() => remoteApi.close());
}
