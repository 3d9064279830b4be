/** Opens, in order, what a node has before any part starts: its directory, database, name, objects, audit log and signing key. */
import { join } from 'node:path';
import type { NodeName } from '../../../protocol/ids.ts';
import type { SigningKey } from '../../../protocol/keys/signing.ts';
import { type AuditLog, createAudit } from '../access/audit/audit.ts';
import { openRestored, type Restored, refuseHalfRestored } from '../backup/restored.ts';
import type { Config } from '../config.ts';
import type { Logger } from '../logging/logger.types.ts';
import { explainLock, prepareDirectory, protectDirectory, refuseLostDatabase, settleName } from '../process/data-directory.ts';
import { type ConnectionShares, connectionShares, openFilesLimit } from '../process/open-files.ts';
import type { Stops } from '../process/stopping.ts';
import { groupId } from '../process/system-group.ts';
import type { Kv } from '../store/kv.ts';
import { droppedBytes } from '../store/level-files.ts';
import { openLevel } from '../store/level-kv.ts';
import type { LocalStore } from '../store/local-store.types.ts';
import { openObjectStore } from '../store/object-store.ts';
import { openSigningKey } from './signing-key.ts';

/** Shared by all of the wiring. */
export interface OpenNode {
  config: Config;
  /** Milliseconds since the epoch. */
  startedAt: number;
  now(): number;
  logger: Logger;
  /** Where each piece registers how to stop what it has started. */
  stops: Stops;
  node: { name: NodeName };
  /** The data directory. */
  directory: string;
  /** The id of the operator group, if there is one. */
  gid: number | undefined;
  kv: Kv;
  store: LocalStore;
  audit: AuditLog;
  /** What this start found damaged in the database and had to leave out, in sentences. */
  damage: readonly string[];
  signingKey: SigningKey;
  /** Set if the node was restored from a backup. */
  restored: Restored | undefined;
  /** How many connections others may have. */
  shares: ConnectionShares;
}

/** Opens the node. Errors: the starting codes of protocol/errors.ts. */
export async function openNode(config: Config, logger: Logger, stops: Stops): Promise<OpenNode> {
  const startedAt = Date.now();
  const now = (): number => Date.now();
  const directory = config.data;
  const gid = config.operatorGroup === undefined ? undefined : await groupId(config.operatorGroup);
  prepareDirectory(directory);
  await refuseHalfRestored(directory);
  await refuseLostDatabase(directory);
  const database = join(directory, 'db');
  const kv = await openLevel(database).catch((error: unknown) => explainLock(error, directory));
  stops.push(() => kv.close());
  await protectDirectory(directory, gid);
  const name = await settleName(kv, config.name);
  const restored = await openRestored(kv, now);
  const store = await openObjectStore({
    kv,
    node: name,
    onError: (error) => logger.warn({ err: error, part: 'store' }, 'The store could not clean up'),
  });
  stops.push(() => store.close());
  const audit = await createAudit({
    directory: join(directory, 'audit'),
    kv,
    logger: logger.child({ part: 'audit' }),
    now,
    restored: restored?.unaudited === true ? restored : undefined,
  });
  stops.push(() => audit.close());
  const damage = damageOf(await droppedBytes(database));
  for (const because of damage) {
    logger.error({}, because);
    audit.record({ who: 'daemon', verb: 'repair', what: 'database', outcome: 'failed', because });
  }
  if (restored?.unaudited === true && (await audit.head()) !== undefined) await restored.audited();
  const signingKey = await openSigningKey(kv);
  const shares = connectionShares(openFilesLimit());
  return { config, startedAt, now, logger, stops, node: { name }, directory, gid, kv, store, audit, damage, signingKey, restored, shares };
}

function damageOf(dropped: number): string[] {
  if (dropped === 0) return [];
  return [
    `the database was damaged when this daemon started: ${dropped} bytes that were written last could not be read and are lost; check the disk, and what is missing`,
  ];
}
