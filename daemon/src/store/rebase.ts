/**
 * Gives a restored database new versions: numbers issued after the copy was made are not issued again for other changes, and a client that
 * comes with one of them is told to list again. To be called before the object store is opened.
 */
import { randomInt } from 'node:crypto';
import { BASE_KEY, LOG_PREFIX, versionOfLogKey } from './keys.ts';
import { type Kv, prefixEnd } from './kv.ts';

/** The step of the versions at which stores begin (object-store.ts): far more changes than are made between two backups. */
const STEP = 2 ** 24;
/**
 * Random, so that two restores of one copy do not continue with the same numbers. A restore consumes at most 2 ** 40 of 2 ** 53 versions.
 */
const MAX_STEPS = 2 ** 16;

export async function rebase(kv: Pick<Kv, 'get' | 'page' | 'batch'>): Promise<void> {
  const range = { gte: LOG_PREFIX, lt: prefixEnd(LOG_PREFIX) };
  const [newest] = await kv.page({ ...range, limit: 1, reverse: true, keysOnly: true });
  const stored = await kv.get(BASE_KEY);
  const base = stored === undefined ? 0 : Number(Buffer.from(stored).toString('utf8'));
  const last = Math.max(newest === undefined ? 0 : versionOfLogKey(newest[0]), Number.isSafeInteger(base) ? base : 0);
  const next = (Math.floor(last / STEP) + 1 + randomInt(1, MAX_STEPS)) * STEP;
  await kv.batch(
    [
      { type: 'clear', ...range },
      { type: 'put', key: BASE_KEY, value: Buffer.from(String(next)) },
    ],
    { sync: true },
  );
}
