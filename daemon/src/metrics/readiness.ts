/**
 * Whether the daemon can do its work: the store takes writes, the disk has room, and the domains are up. Asked by anybody without a token, so each look
 * is made once in a while at most, however often it is asked for; the operator's own checks look anew.
 */
import { stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { isMissing } from '../disk/system-error.ts';
import type { Logger } from '../logging/logger.types.ts';

/** A look is believed for so long. Milliseconds. */
const BELIEVED_MS = 5_000;
/** What LevelDB may need at any moment: a log and a table of it, 4 MiB each. With less, writes fail soon. Bytes. */
const MIN_FREE_BYTES = 8 * 1024 * 1024;
/** A look that takes longer has failed. Milliseconds. */
const LOOK_MS = 3_000;
/** What the store is asked to write. */
const PROBE_ROW = 'm/probe';

export interface Check {
  name: string;
  /** Why it fails; undefined: it does not. `anew`: what was found a moment ago does not count. */
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
      // Files that are removed while they are open take writes on, and are gone with the process.
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

/** What fails, for people. Of domains their own state tells. */
export async function failuresOf(checks: readonly Check[]): Promise<string[]> {
  const found = checks
    .filter(({ name }) => name !== 'domains')
    .map(async ({ name, failing }) => {
      const reason = await failing();
      return reason === undefined ? [] : [`${name}: ${reason}; "dtkd doctor" says what to do`];
    });
  return (await Promise.all(found)).flat();
}

/** Bytes of the file system with the directory, and those of them that dtkd may still write. */
export async function diskOf(directory: string): Promise<{ freeBytes: number; sizeBytes: number }> {
  const { bavail, blocks, bsize } = await statfs(directory);
  return { freeBytes: bavail * bsize, sizeBytes: blocks * bsize };
}

/** Looks again only after a while; tells the log when what it finds changes. */
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
