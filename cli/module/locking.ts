/**
 * The lock file of a module's directory. The daemon chooses the versions, since it knows which exist. The lock is written beside the
 * manifest and is part of the module.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ModuleManifest } from '../../protocol/definitions/module.ts';
import { LOCK_FILE, lockFile } from '../../protocol/definitions/service-file.ts';
import { DtkdError } from '../../protocol/errors.ts';
import type { ModuleFile } from '../../protocol/modules/archive.ts';
import { lockText, readLock } from '../../protocol/modules/lock.ts';
import type { Cli } from '../cli.ts';
import type { ApiClient } from '../client/api.ts';
import { followModules } from './following.ts';

export interface Locking {
  cli: Cli;
  client: ApiClient;
  directory: string;
  /** Ignores the present lock and chooses again. */
  update: boolean;
  /** Fetches and writes nothing. */
  dryRun: boolean;
}

/** Returns the files with an up-to-date lock; unchanged if there are no dependencies. */
export async function withLock(locking: Locking, manifest: ModuleManifest, files: readonly ModuleFile[]): Promise<ModuleFile[]> {
  const { module, version, dependencies = {}, types = {} } = manifest;
  if (Object.keys(dependencies).length === 0) return [...files];
  const { cli, client, directory, update, dryRun } = locking;
  const there = files.find(({ path }) => path === LOCK_FILE);
  const before = there === undefined || update ? undefined : await readLock(there.data, join(directory, LOCK_FILE));
  const done = await followModules(cli, client, 'module-lock', {
    module,
    version,
    dependencies,
    types: Object.keys(types),
    ...(before === undefined ? {} : { lock: before }),
    ...(dryRun ? { fetch: false } : {}),
  });
  const lock = lockFile.safeParse(done);
  if (!lock.success) throw new DtkdError('NOT_DTKD', 'the daemon answered without a lock', { next: 'Check --url.' });
  const data = new TextEncoder().encode(lockText(lock.data));
  if (there !== undefined && Buffer.from(there.data).equals(data)) return [...files];
  if (!dryRun) {
    const path = join(directory, LOCK_FILE);
    const chosen = Object.entries(lock.data.modules).map(([name, one]) => `${name} ${one.version}`);
    const written = await writeFile(path, data).then(
      () => true,
      () => false,
    );
    // the lock becomes part of the module even if it cannot be written
    cli.out.note(`${path}${written ? '' : ' (which cannot be written)'}: ${chosen.join(', ')}`);
  }
  return [...files.filter((file) => file !== there), { path: LOCK_FILE, executable: false, data }];
}
