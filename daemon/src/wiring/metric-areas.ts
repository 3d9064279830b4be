/** Wires the parts of the daemon to the metrics. */

import { join } from 'node:path';
import { isRecord } from '../../../protocol/encoding/json.ts';
import { INSTANCE_PHASES, serviceInstanceKind } from '../../../protocol/kinds/service-instance.ts';
import type { AuditLog } from '../access/audit/audit.ts';
import type { AuditWitnessing } from '../access/audit/witnessing.ts';
import type { CountedPeerApi } from '../api/remote/asking.ts';
import type { ApiServer } from '../api/server.types.ts';
import type { Apps } from '../apps/ports.ts';
import type { Federation } from '../catalog/federation/federation.types.ts';
import type { Mesh } from '../mesh/mesh.types.ts';
import { apiArea } from '../metrics/areas/api.ts';
import { appsArea } from '../metrics/areas/apps.ts';
import { dispatchArea } from '../metrics/areas/dispatch.ts';
import { domainsArea } from '../metrics/areas/domains.ts';
import { fanOutArea } from '../metrics/areas/fan-out.ts';
import { programArea } from '../metrics/areas/program.ts';
import { replicationArea } from '../metrics/areas/replication.ts';
import { storeArea } from '../metrics/areas/store.ts';
import type { Area } from '../metrics/family.ts';
import { type Check, diskOf } from '../metrics/readiness.ts';
import { directoryBytes } from '../process/directory.ts';
import type { LocalStore } from '../store/local-store.types.ts';
import type { Dispatching } from './dispatching.ts';

export interface MetricParts {
  version: string;
  /** This node's name. */
  node: string;
  /** The data directory. */
  directory: string;
  checks: readonly Check[];
  store: Pick<LocalStore, 'figures' | 'list'>;
  mesh: Pick<Mesh, 'domains' | 'figures'>;
  apps: Pick<Apps, 'summary' | 'counters' | 'figures'>;
  dispatching: Pick<Dispatching, 'figures'>;
  peers: Pick<CountedPeerApi, 'figures'>;
  federation: Pick<Federation, 'statements'>;
  audit: Pick<AuditLog, 'counters'>;
  witnessing: Pick<AuditWitnessing, 'figures'>;
  /** The API, once it serves. */
  api(): Pick<ApiServer, 'figures'>;
  now(): number;
}

/** Data directories that contain only files, by name. */
const FLAT = ['db', 'audit', 'parcels', 'logs'] as const;
/** Service instances read at once. */
const PAGE = 100;

export function metricAreas(parts: MetricParts): Area[] {
  const { version, directory, checks, store, mesh, apps, dispatching, peers, federation, audit, witnessing, api, now } = parts;
  return [
    programArea(async () => {
      const sizes = await Promise.all(FLAT.map(async (part) => [part, await directoryBytes(join(directory, part))] as const));
      const states = await Promise.all(checks.map(async ({ name, failing }) => [name, (await failing()) === undefined] as const));
      return {
        version,
        now: now(),
        checks: Object.fromEntries(states),
        dataBytes: Object.fromEntries(sizes),
        // metrics, readiness above all, must still be reported if the disk cannot be queried
        disk: await diskOf(directory).catch(() => undefined),
      };
    }),
    domainsArea(() => mesh.domains()),
    replicationArea(() => mesh.figures()),
    fanOutArea(() => ({ asked: peers.figures(), statements: federation.statements() })),
    dispatchArea(() => dispatching.figures()),
    appsArea(() => ({ ...apps.summary(), counters: apps.counters(), ...apps.figures() })),
    storeArea(async () => ({
      ...(await store.figures()),
      content: dispatching.figures().content,
      instances: await instancesByPhase(store, parts.node),
    })),
    apiArea(() => {
      const { auditLines = 0, auditLinesWaiting = 0, auditLinesLost = 0 } = audit.counters();
      return {
        ...api().figures(),
        audit: { lines: auditLines, waiting: auditLinesWaiting, lost: auditLinesLost, ...witnessing.figures() },
      };
    }),
  ];
}

async function instancesByPhase(store: Pick<LocalStore, 'list'>, node: string): Promise<Record<string, number>> {
  const counts: Record<string, number> = Object.fromEntries(INSTANCE_PHASES.map((phase) => [phase, 0]));
  const { group, plural } = serviceInstanceKind;
  for (let next = ''; ; ) {
    const page = await store.list({ group, plural, namespace: node, limit: PAGE, ...(next === '' ? {} : { continue: next }) });
    for (const { status } of page.items) {
      const phase = isRecord(status) ? INSTANCE_PHASES.find((known) => known === status['phase']) : undefined;
      if (phase !== undefined) counts[phase] = (counts[phase] ?? 0) + 1;
    }
    if (page.continue === undefined) return counts;
    next = page.continue;
  }
}
