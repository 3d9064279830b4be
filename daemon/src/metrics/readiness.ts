/**
 * Checks whether the daemon can work: the store accepts writes, the disk has room, and the domains are up. Anybody can ask without
 * a token, so results are cached for a while; the operator's own checks bypass the cache.
 */
import { stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { isMissing } from '../disk/system-error.ts';
import type { Logger } from '../logging/logger.types.ts';

/** How long a result is cached, in milliseconds. */
const BELIEVED_MS = 5_000;
/** In bytes. LevelDB may need a log and a table at any moment, 4 MiB each; with less, writes fail soon. */
const MIN_FREE_BYTES = 8 * 1024 * 1024;
/** A check that takes longer has failed. Milliseconds. */
const LOOK_MS = 3_000;
/** The key of the row that the check of the store writes. */
const PROBE_ROW = 'm/probe';

export interface Check {
  name: string;
  /** Why the check fails; undefined if it passes. `anew` bypasses the cache. */
  failing(how?: { anew: boolean }): Promise<string | undefined>;
}

export interface ReadinessPorts {
  store: {
    readonly kv: { batch(ops: readonly { type: 'put'; key: string; value: Uint8Array }[], options: { sync: boolean }): Promise<void> };
  };
  /** The data directory. */
  directory: string;
  domains(): readonly { name: string; state: string; port: number | undefined; message: string | undefined }[];
  logger: Logger;
}

export function readinessChecks({ store, directory, domains, logger }: ReadinessPorts): Check[] {
  const check = (name: string, look: () => Promise<string | undefined>): Check => ({ name, failing: believed(name, look, logger) });
  return [
    check('store', async () => {
      // Files that were removed while open still accept writes, and are gone when the process ends.
      const isThere = await stat(join(directory, 'db', 'CURRENT')).catch((error: unknown) => !isMissing(error));
      if (isThere === false) return `the database in ${directory} was removed under this daemon: what it writes is lost when it stops`;
      await store.kv.batch([{ type: 'put', key: PROBE_ROW, value: Buffer.from(String(Date.now())) }], { sync: true });
      return undefined;
    }),
    check('disk', async () => {
      const { freeBytes } = await diskOf(directory);
      return freeBytes < MIN_FREE_BYTES ? `${Math.round(freeBytes / 1024 / 1024)} MiB are free` : undefined;
    }),
    check('domains', async () => {
      const down = domains().filter(({ state, port }) => state === 'Failed' || (state === 'Ready' && port === undefined));
      return down.length === 0 ? undefined : down.map(({ name, message }) => `${name}: ${message ?? 'it is not open'}`).join('; ');
    }),
  ];
}

/** The failing checks, as texts for people, without `domains`: the domains' own states show that. */
export async function failuresOf(checks: readonly Check[]): Promise<string[]> {
  const found = checks
    .filter(({ name }) => name !== 'domains')
    .map(async ({ name, failing }) => {
      const reason = await failing();
      return reason === undefined ? [] : [`${name}: ${reason}; "dtkd doctor" says what to do`];
    });
  return (await Promise.all(found)).flat();
}

/** The size of the directory's file system, and how much of it dtkd may still use. */
export async function diskOf(directory: string): Promise<{ freeBytes: number; sizeBytes: number }> {
  const { bavail, blocks, bsize } = await statfs(directory);
  return { freeBytes: bavail * bsize, sizeBytes: blocks * bsize };
}

/** Caches the result of a check for a while, and logs when it changes. */
function believed(name: string, look: () => Promise<string | undefined>, logger: ReadinessPorts['logger']): Check['failing'] {
  let found: Promise<string | undefined> | undefined;
  let at = 0;
  let told = false;
  const lookNow = async (): Promise<string | undefined> => {
    const timeUp = new AbortController();
    const late = rest(LOOK_MS, `it took longer than ${LOOK_MS} ms`, { ref: false, signal: timeUp.signal }).catch(() => undefined);
    const reason = await Promise.race([look().catch((error: unknown) => messageOf(error)), late]);
    timeUp.abort();
    if (reason !== undefined && !told) logger.warn({ check: name, reason }, 'The daemon is not ready');
    if (reason === undefined && told) logger.info({ check: name }, 'The daemon is ready again');
    told = reason !== undefined;
    return reason;
  };
  return ({ anew } = { anew: false }) => {
    const now = performance.now();
    if (anew || found === undefined || now - at >= BELIEVED_MS) {
      at = now;
      found = lookNow();
    }
    return found;
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
