/**
 * The composition root: the only file that knows every part. Starts them in order, hands each the ports that it asks for, and stops them
 * in reverse. A part that fails to start stops those before it, so that a failed start leaves nothing behind.
 */
import { rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { REMOTE_API_PROTOCOL } from '../../protocol/remote-api.ts';
import { WITNESS_PROTOCOL } from '../../protocol/witness.ts';
import { createAccess } from './access/access.ts';
import { createAudit } from './access/audit/audit.ts';
import { auditAction } from './access/audit/audit-action.ts';
import { WITNESS_LIMITS } from './access/audit/limits.ts';
import { createAuditWitnessing } from './access/audit/witnessing.ts';
import { decideMove } from './access/moves.ts';
import { openOperatorToken } from './access/operator-token.ts';
import { openCertificates, renewCertificate } from './api/certificates.ts';
import { changedObject, newObject, parseDocument } from './api/document.ts';
import { createLocalRows } from './api/federated-local.ts';
import type { Action } from './api/handlers.types.ts';
import { createPeerApi } from './api/remote/asking.ts';
import { PeerTable } from './api/remote/peer-table.ts';
import { createRemoteApiServer } from './api/remote/serving.ts';
import { startApiServer, tryListening } from './api/server.ts';
import { appUsers } from './app-users.ts';
import { createApps } from './apps/apps.ts';
import { createBackups } from './backup/backup.ts';
import { openRestored, refuseHalfRestored } from './backup/restored.ts';
import { createFederation } from './catalog/federation/federation.ts';
import { createCatalogModel } from './catalog/model/catalog-model.ts';
import { createNodeFacts } from './catalog/node-facts.ts';
import { createSecrets } from './catalog/secrets/secrets.ts';
import { checkupAction } from './checkup-ports.ts';
import type { Config } from './config.ts';
import { explainLock, openToGroup, prepareDirectory, protectDirectory, settleName, writeEndpoint } from './data-directory.ts';
import { startDispatching } from './dispatching.ts';
import { extensions } from './extensions.ts';
import { followGrants, standingIn } from './federation-ports.ts';
import { createGarbage } from './garbage/collector.ts';
import { deletions } from './garbage-ports.ts';
import { createInstancing } from './instancing.ts';
import type { Logger } from './logging/logger.types.ts';
import { memberRequests } from './member-requests.ts';
import { MemoryKeeper } from './memory-keeper.ts';
import { DomainController } from './mesh/controllers/domain-controller.ts';
import { createLogs } from './mesh/log/logs.ts';
import { createMesh } from './mesh/mesh.ts';
import { metricAreas } from './metric-areas.ts';
import { createMetrics } from './metrics/metrics.ts';
import { failuresOf, readinessChecks } from './metrics/readiness.ts';
import { followNews } from './news-following.ts';
import { parcelsOf } from './parcel-ports.ts';
import { openSigningKey } from './signing-key.ts';
import { daemonStatus, summaryText } from './status.ts';
import { EventRecorder } from './store/event-recorder.ts';
import { openLevel } from './store/level-kv.ts';
import { openObjectStore } from './store/object-store.ts';
import { groupId } from './system-group.ts';
import { VERSION } from './version.ts';
import { YoungGeneration } from './young-generation.ts';

/** Name of the API's socket in the data directory. */
const API_SOCKET = 'api.sock';

export interface Daemon {
  /** What a person should read once it runs. */
  summary(): string;
  stop(): Promise<void>;
}

/** Starts everything; resolves when requests are answered. Errors: the starting codes of protocol/errors.ts. */
export async function startDaemon(config: Config, logger: Logger): Promise<Daemon> {
  const stops: (() => Promise<void>)[] = [];
  try {
    return await start(config, logger, stops);
  } catch (error) {
    await stopAll(stops, logger);
    throw error;
  }
}

async function stopAll(stops: (() => Promise<void>)[], logger: Logger): Promise<void> {
  for (const stop of stops.splice(0).reverse()) {
    await stop().catch((error: unknown) => logger.warn({ err: error }, 'A part did not stop cleanly'));
  }
}

async function start(config: Config, logger: Logger, stops: (() => Promise<void>)[]): Promise<Daemon> {
  const startedAt = Date.now();
  const now = (): number => Date.now();
  const endpointFile = join(config.data, 'endpoint.json');
  const gid = config.operatorGroup === undefined ? undefined : await groupId(config.operatorGroup);
  prepareDirectory(config.data);
  await refuseHalfRestored(config.data);
  const kv = await openLevel(join(config.data, 'db')).catch((error: unknown) => explainLock(error, endpointFile));
  stops.push(() => kv.close());
  await protectDirectory(config.data, gid);
  const name = await settleName(kv, config.name);
  const restored = await openRestored(kv, now);
  const store = await openObjectStore({
    kv,
    node: name,
    onError: (error) => logger.warn({ err: error, part: 'store' }, 'The store could not tidy up'),
  });
  stops.push(() => store.close());

  const audit = await createAudit({
    directory: join(config.data, 'audit'),
    kv,
    logger: logger.child({ part: 'audit' }),
    now,
    restored: restored?.unaudited === true ? restored : undefined,
  });
  stops.push(() => audit.close());
  if (restored?.unaudited === true && (await audit.head()) !== undefined) await restored.audited();
  const signingKey = await openSigningKey(kv);
  const nodeFacts = createNodeFacts({
    signingKey: signingKey.publicKey,
    store,
    node: name,
    version: VERSION,
    startedAt,
    tags: config.tags,
    logger: logger.child({ part: 'node' }),
  });

  const logs = createLogs({ store, version: VERSION, logger: logger.child({ part: 'log' }), now, restored });
  store.addParticipant(logs.participant);
  const mesh = createMesh({
    kv,
    logs,
    nodeName: name,
    config: { meshHost: config.mesh.host, meshPort: config.mesh.port, announce: config.announce, mdns: config.mdns },
    logger: logger.child({ part: 'mesh' }),
    now,
  });
  const secrets = createSecrets({ store, node: { name }, directory: config.data, now });
  store.addParticipant(secrets.participant);
  const access = createAccess({
    store,
    node: { name },
    mesh,
    operator: { authenticate: (token) => tokens.authenticate(token) },
    now,
    logger: logger.child({ part: 'access' }),
  });
  stops.push(async () => access.stop());
  const model = createCatalogModel({
    store,
    node: { name },
    documents: { parse: parseDocument, created: newObject, changed: changedObject },
    decide: (principal, asked) => access.decide(principal, asked),
    decideMove: (principal, about, before, after) => decideMove(access, principal, about, before, after),
    logger: logger.child({ part: 'model' }),
  });
  store.addParticipant(model.participant);
  stops.push(async () => model.stop());
  const events = new EventRecorder({
    store,
    node: name,
    now,
    onError: (error) => logger.warn({ err: error }, 'An Event could not be written'),
  });
  stops.push(() => events.close());
  const garbage = createGarbage({
    store,
    node: name,
    deleteAs: deletions(() => api),
    events,
    logger: logger.child({ part: 'garbage' }),
  });
  store.addParticipant(garbage.participant);
  const unfollowNews = followNews(store, events, (error) => logger.warn({ err: error }, 'An Event could not be written'));
  stops.push(async () => unfollowNews());
  const controller = new DomainController({
    store,
    mesh,
    node: { name, suffix: config.suffix },
    events,
    logger: logger.child({ part: 'domains' }),
    now,
  });
  // Those that are set are known before they listen, so that no app is judged without them at start.
  const listeners = [config.api, config.ingress, { host: '::', port: config.mesh.port }].filter(({ port }) => port !== 0);
  const apps = createApps({
    store,
    mesh,
    users: appUsers(access, mesh, audit),
    node: { name, suffix: config.suffix },
    ingress: config.ingress,
    authorOf: (namespace) => mesh.memberNamed(namespace),
    ownListeners: () => [
      ...listeners,
      ...mesh.domains().flatMap((domain) => (domain.port === undefined ? [] : [{ host: '::', port: domain.port }])),
    ],
    logger: logger.child({ part: 'apps' }),
  });

  const tokenOptions = { file: join(config.data, 'admin.token') };
  const tokens = await openOperatorToken(gid === undefined ? tokenOptions : { ...tokenOptions, gid });
  const certificates = { dir: config.data, names: [hostname(), name, config.api.host] };
  const certificate = await openCertificates({
    ...certificates,
    onReplaced: () => logger.warn({}, 'The authority of the API is a new one; who keeps the old one needs it: dtkd kubeconfig --write'),
  });
  if (gid !== undefined) await openToGroup(join(config.data, 'ca.crt'), gid);

  const witnessing = createAuditWitnessing({
    audit,
    store,
    domains: () => mesh.domains(),
    requests: memberRequests(mesh, WITNESS_PROTOCOL, WITNESS_LIMITS),
    publish: (head) => nodeFacts.publishHead(head),
    now,
    logger: logger.child({ part: 'audit' }),
  });

  // The API is opened last; members should not see a node that comes and goes since it cannot.
  await tryListening(config.api);
  await access.start();
  await model.start();
  // Before the domains are open, so that what they publish first is up to date.
  await nodeFacts.start(await audit.head());
  stops.push(async () => nodeFacts.stop());
  await apps.start();
  stops.push(() => apps.stop());
  listeners.push(apps.ingressAddress());
  await mesh.start();
  apps.domainsKnown();
  stops.push(() => mesh.stop());
  await witnessing.start();
  stops.push(() => witnessing.stop());
  await controller.start();
  stops.push(() => controller.stop());

  const status: Action = async () =>
    daemonStatus({
      config,
      name,
      version: VERSION,
      startedAt,
      apiUrl: api.url,
      ingress: apps.ingressAddress(),
      mesh,
      apps,
      dispatch: { counts: () => dispatching.counts() },
      failures: () => failuresOf(checks),
      audit: { conditions: () => [...audit.conditions(), ...witnessing.conditions()], counters: () => audit.counters() },
    });
  const auditing = auditAction({ audit, gather: () => witnessing.gather() });
  const peerTable = new PeerTable(mesh);
  const peers = createPeerApi({ peers: peerTable, mesh });
  const federation = await createFederation({
    node: name,
    kv,
    peers,
    local: createLocalRows({ store, access, node: { name } }),
    standing: standingIn(mesh),
    logger: logger.child({ part: 'federation' }),
    now,
  });
  stops.push(() => federation.close());
  const unfollow = followGrants(store, federation, (error) =>
    logger.warn({ err: error, part: 'federation' }, 'A user could not be forgotten'),
  );
  stops.push(async () => unfollow());
  const dispatching = await startDispatching({
    store,
    node: { name },
    directory: config.data,
    signingKey,
    environment: config.environment,
    mesh,
    access,
    audit,
    secrets,
    federation,
    peers,
    events,
    logger,
    now,
  });
  stops.push(() => dispatching.stop());
  const instances = createInstancing({
    store,
    node: { name, signingKey: signingKey.publicKey },
    directory: config.data,
    access,
    mesh,
    dispatching,
    api: () => api,
    logger,
    now,
  });
  await instances.start();
  stops.push(() => instances.stop());
  const backups = createBackups({
    directory: config.data,
    kv,
    node: { name },
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
    node: { name },
    ...dispatching.parcels,
    directory: join(config.data, 'parcels'),
    program: VERSION,
    logger: logger.child({ part: 'parcels' }),
    now,
  });
  await parcels.start();
  stops.push(() => parcels.stop());
  const checks = readinessChecks({
    store,
    directory: config.data,
    domains: () => mesh.domains(),
    logger: logger.child({ part: 'readiness' }),
  });
  const areas = metricAreas({
    version: VERSION,
    node: name,
    directory: config.data,
    checks,
    store,
    mesh,
    apps,
    dispatching,
    peers,
    federation,
    audit,
    witnessing,
    api: () => api,
    now,
  });
  const api = await startApiServer({
    store,
    node: { name },
    extensions: extensions({
      access,
      model,
      controller,
      mesh,
      apps,
      dispatching,
      instances,
      status,
      audit: auditing,
      checkup: checkupAction({ config, node: name, version: VERSION, mesh, store, apps, dispatching, audit, witnessing, checks, now }),
      rotate: async () => {
        const token = await tokens.rotate();
        access.tokenEnded();
        return token;
      },
    }),
    content: dispatching.content,
    parcels,
    backups,
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
    listen: config.api,
    certificate,
    renewCertificate: () => renewCertificate(certificates),
    socket: { path: join(config.data, API_SOCKET), gid },
  });
  stops.push(() => api.close());
  listeners.push({ host: config.api.host, port: api.port });
  const remoteApi = createRemoteApiServer({
    fetch: (request, from) => api.answer(request, from),
    access,
    namespaceOf: (domain, key) => peerTable.byKey(domain, key)?.namespace,
    logger: logger.child({ part: 'remote-api' }),
  });
  garbage.start();
  stops.push(() => garbage.stop());
  mesh.handle(REMOTE_API_PROTOCOL, (stream, from) => remoteApi.serve(stream, from));
  stops.push(async () => remoteApi.close());

  const young = new YoungGeneration();
  young.start();
  stops.push(async () => young.stop());
  const memory = new MemoryKeeper();
  memory.start();
  stops.push(async () => memory.stop());
  const endpoint = {
    api: api.url,
    ...(api.socket === undefined ? {} : { socket: API_SOCKET }),
    pid: process.pid,
    name,
    ingress: apps.ingressAddress(),
  };
  await writeEndpoint(endpointFile, endpoint, gid);
  stops.push(() => rm(endpointFile, { force: true }));
  return {
    summary: () =>
      summaryText({
        config,
        name,
        version: VERSION,
        apiUrl: api.url,
        ingress: apps.ingressAddress(),
        mesh,
        joining: controller.joiner.joining(),
      }),
    stop: () => stopAll(stops, logger),
  };
}
