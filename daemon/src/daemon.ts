/**
 * The composition root: knows every part and the order in which they start; they stop in reverse. A part that needs much of others is wired
 * in a file of its own in wiring/. If a part fails to start, those before it are stopped, so that a failed start leaves nothing behind.
 */
import { join } from 'node:path';
import { createAccess } from './access/access.ts';
import { tryListening } from './api/server.ts';
import { createBackups } from './backup/backup.ts';
import { createSecrets } from './catalog/secrets/secrets.ts';
import type { Config } from './config.ts';
import type { Logger } from './logging/logger.types.ts';
import { DomainController } from './mesh/controllers/domain-controller.ts';
import { recordEvents } from './news/following.ts';
import { API_SOCKET, writeEndpoint } from './process/data-directory.ts';
import { MemoryKeeper } from './process/memory-keeper.ts';
import { startingError } from './process/starting-error.ts';
import { Stops } from './process/stopping.ts';
import { YoungGeneration } from './process/young-generation.ts';
import { summaryText } from './status.ts';
import { VERSION } from './version.ts';
import { createAppSharing } from './wiring/app-sharing.ts';
import { openCredentials } from './wiring/credentials.ts';
import { startDispatching } from './wiring/dispatching.ts';
import { startFederating } from './wiring/federating.ts';
import { garbageOf } from './wiring/garbage-ports.ts';
import { createInstancing } from './wiring/instancing.ts';
import { createMeshing } from './wiring/meshing.ts';
import { createModelling } from './wiring/modelling.ts';
import { openNode } from './wiring/node-opening.ts';
import { parcelsOf } from './wiring/parcel-ports.ts';
import { serveMembers, startServing } from './wiring/serving.ts';
import { createWitnessing } from './wiring/witnessing.ts';

export interface Daemon {
  /** Text for a person, once the daemon runs. */
  summary(): string;
  stop(): Promise<void>;
}

/** Starts everything; resolves when requests are answered. Errors: the starting codes of protocol/errors.ts. */
export async function startDaemon(config: Config, logger: Logger): Promise<Daemon> {
  const stops = new Stops(logger);
  try {
    return await start(config, logger, stops);
  } catch (error) {
    await stops.stop();
    throw startingError(error, config.data);
  }
}

async function start(config: Config, logger: Logger, stops: Stops): Promise<Daemon> {
  const opened = await openNode(config, logger, stops);
  const { now, node, directory, gid, kv, store, audit, signingKey } = opened;

  const { mesh, nodeFacts } = createMeshing(opened);
  const secrets = createSecrets({ store, node, directory, now });
  store.addParticipant(secrets.participant);
  const operator = { authenticate: (token: string) => credentials.tokens.authenticate(token) };
  const access = createAccess({ store, node, mesh, operator, audit, now, logger: logger.child({ part: 'access' }) });
  stops.push(() => access.stop());
  const model = createModelling(opened, access);
  const events = recordEvents(opened);
  const garbage = garbageOf(opened, events, () => api);
  const domainNode = { name: node.name, suffix: config.suffix };
  const controller = new DomainController({ store, mesh, node: domainNode, events, logger: logger.child({ part: 'domains' }), now });
  const { apps, listensAt } = createAppSharing(opened, mesh, access);
  const credentials = await openCredentials(opened);
  const witnessing = createWitnessing(opened, { mesh, nodeFacts });

  // The API is opened last. If it cannot listen, members should not see this node come and go, so try first.
  await tryListening(config.api);
  await access.start();
  await model.start();
  // Before the domains are open, so that the first thing this node publishes is up to date.
  await nodeFacts.start(await audit.head());
  stops.push(() => nodeFacts.stop());
  await stops.start(apps);
  listensAt(apps.ingressAddress());
  await mesh.start();
  apps.domainsKnown();
  stops.push(() => mesh.stop());
  await stops.start(witnessing);
  await stops.start(controller);

  const { peerTable, peers, federation } = await startFederating(opened, mesh, access);
  const { environment } = config;
  const dispatching = await startDispatching({ ...opened, environment, mesh, access, secrets, federation, peers, events });
  stops.push(() => dispatching.stop());
  const instances = createInstancing({
    ...opened,
    node: { ...node, signingKey: signingKey.publicKey },
    access,
    mesh,
    dispatching,
    api: () => api,
  });
  await stops.start(instances);
  const backups = createBackups({
    directory,
    kv,
    node,
    program: VERSION,
    audit: () => audit.settled(),
    repositories: instances.repositories,
    logger: logger.child({ part: 'backup' }),
    now,
  });
  await backups.tidy();
  const parcels = parcelsOf({
    mesh,
    access,
    store,
    node,
    ...dispatching.parcels,
    directory: join(directory, 'parcels'),
    program: VERSION,
    logger: logger.child({ part: 'parcels' }),
    now,
  });
  await stops.start(parcels);

  const api = await startServing(opened, {
    credentials,
    access,
    model,
    mesh,
    controller,
    witnessing,
    apps,
    garbage,
    peerTable,
    peers,
    federation,
    dispatching,
    instances,
    backups,
    parcels,
  });
  listensAt({ host: config.api.host, port: api.port });
  await stops.start(garbage);
  serveMembers(opened, api, { mesh, access, peerTable });

  await stops.start(new YoungGeneration());
  await stops.start(new MemoryKeeper());
  const { url, socket } = api;
  const ingress = apps.ingressAddress();
  const endpoint = { api: url, ...(socket === undefined ? {} : { socket: API_SOCKET }), pid: process.pid, name: node.name, ingress };
  stops.push(await writeEndpoint(directory, endpoint, gid));
  return {
    summary: () =>
      summaryText({
        config,
        name: node.name,
        version: VERSION,
        apiUrl: url,
        ingress: apps.ingressAddress(),
        mesh,
        joining: controller.joiner.joining(),
      }),
    stop: () => stops.stop(),
  };
}
