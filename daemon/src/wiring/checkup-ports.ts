/** Wires the parts of the daemon to the checkup, and the checkup to the API. */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DtkdError } from '../../../protocol/errors.ts';
import { nodeKind, nodeStatus } from '../../../protocol/kinds/node.ts';
import type { Checkup } from '../../../protocol/requests/checkup.ts';
import type { AccessPart } from '../access/access.ts';
import type { AuditLog } from '../access/audit/audit.ts';
import type { AuditWitnessing } from '../access/audit/witnessing.ts';
import type { Action } from '../api/handlers.types.ts';
import type { Apps } from '../apps/ports.ts';
import type { CheckupPorts } from '../checkup/gathering.ts';
import type { Config } from '../config.ts';
import type { Mesh } from '../mesh/mesh.types.ts';
import type { Check } from '../metrics/readiness.ts';
import type { LocalStore } from '../store/local-store.types.ts';
import type { Dispatching } from './dispatching.ts';

export interface CheckupParts {
  config: Pick<Config, 'data' | 'suffix' | 'mdns' | 'mesh' | 'announce'>;
  node: string;
  version: string;
  mesh: Pick<Mesh, 'domains' | 'invites' | 'figures' | 'probe'>;
  store: Pick<LocalStore, 'list'>;
  apps: Pick<Apps, 'ingressAddress' | 'tryOwn'>;
  dispatching: Pick<Dispatching, 'figures'>;
  access: Pick<AccessPart, 'clockConditions'>;
  audit: Pick<AuditLog, 'conditions' | 'counters'>;
  witnessing: Pick<AuditWitnessing, 'conditions' | 'figures'>;
  checks: readonly Check[];
  now(): number;
}

/** `GET …/daemon/checkup`, for the operator. */
export function checkupAction(parts: CheckupParts): Action {
  const { config, node, version, mesh, store, apps, dispatching, access, audit, witnessing, checks, now } = parts;
  const ports: CheckupPorts = {
    node,
    version,
    directory: config.data,
    suffix: config.suffix,
    mdns: config.mdns,
    meshHost: config.mesh.host,
    announce: config.announce,
    ingress: () => apps.ingressAddress(),
    mesh,
    async versions() {
      const { items } = await store.list({ group: nodeKind.group, plural: nodeKind.plural });
      return new Map(
        items.flatMap((object) => {
          const found = nodeStatus.safeParse(object['status']).data?.facts?.dtkdVersion;
          return found === undefined ? [] : [[object.metadata.name, found] as const];
        }),
      );
    },
    apps: (signal) => apps.tryOwn(signal),
    clock: () => access.clockConditions(),
    audit() {
      const { publishedAt, unpublished } = witnessing.figures();
      return {
        conditions: [...audit.conditions(), ...witnessing.conditions()],
        lost: audit.counters()['auditLinesLost'] ?? 0,
        unpublished,
        publishedAt,
      };
    },
    orders() {
      const { held, here } = dispatching.figures();
      return { held: held.orders, firstExpiry: held.firstExpiry, waiting: here['waiting'] };
    },
    checks,
    certificates: () =>
      Promise.all(
        [['authority', 'ca.crt'] as const, ['API', 'tls.crt'] as const].map(async ([name, file]) => {
          const { validFrom, validTo } = new X509Certificate(await readFile(join(config.data, file)));
          return { name, begins: Date.parse(validFrom), expires: Date.parse(validTo) };
        }),
      ),
    now,
  };
  let check: Promise<() => Promise<Checkup>> | undefined;
  return async ({ method }) => {
    if (method !== 'GET') throw new DtkdError('METHOD_NOT_ALLOWED', 'use GET to have the daemon look at itself');
    // loaded on first use, since checkups are rare
    check ??= import('../checkup/gathering.ts').then(({ createCheckup }) => createCheckup(ports));
    return (await check)();
  };
}
