/** The spools of a node: one object for each file, as long as somebody uses it; and their end, by age and size. */
import { readdir, rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Spool, Spools } from './runner.types.ts';
import { openSpool } from './spool.ts';

/** Spools that nobody holds any more are forgotten when so many are known. */
const FORGET_FROM = 256;
/** Empty directories are removed when nothing was put into them or taken out for so long. */
const EMPTY_FOR_MS = 3_600_000;

export function createSpools(): Spools {
  /** Those that are being opened, and those with something to write, are kept; of others it is only known that somebody may have them. */
  const opening = new Map<string, Promise<Spool>>();
  const writing = new Set<Spool>();
  const known = new Map<string, WeakRef<Spool>>();

  const changed = (spool: Spool, writes: boolean): void => {
    if (writes) writing.add(spool);
    else writing.delete(spool);
  };

  const start = async (path: string, capBytes: number): Promise<Spool> => {
    const spool = await openSpool(path, capBytes, changed);
    if (known.size >= FORGET_FROM) for (const [other, ref] of known) if (ref.deref() === undefined) known.delete(other);
    known.set(path, new WeakRef(spool));
    return spool;
  };

  return {
    async open(path, capBytes) {
      const found = known.get(path)?.deref();
      if (found !== undefined && !found.closed) return found;
      const begun = opening.get(path) ?? start(path, capBytes).finally(() => opening.delete(path));
      opening.set(path, begun);
      return begun;
    },
  };
}

export interface Retention {
  keepForMs: number;
  keepBytes: number;
}

/**
 * Removes the files below a directory that are older than `keepForMs`, then the oldest until the rest have at most `keepBytes`, then
 * directories that have long been empty. What is in use stays, and counts. Answers what was removed.
 */
export async function sweepSpools(
  directory: string,
  { keepForMs, keepBytes }: Retention,
  isInUse: (path: string) => boolean,
  now: () => number = Date.now,
): Promise<{ removed: string[]; keptBytes: number }> {
  const files = await listFiles(directory, now());
  const order = files.sort((a, b) => a.changedAt - b.changedAt || (a.path < b.path ? -1 : 1));
  let keptBytes = order.reduce((sum, { size }) => sum + size, 0);
  const removed: string[] = [];
  for (const { path, size, changedAt } of order) {
    if (now() - changedAt <= keepForMs && keptBytes <= keepBytes) break;
    if (isInUse(path)) continue;
    await rm(path, { force: true });
    keptBytes -= size;
    removed.push(path);
  }
  return { removed, keptBytes };
}

interface Found {
  path: string;
  size: number;
  changedAt: number;
}

async function listFiles(directory: string, now: number): Promise<Found[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const found: Found[] = [];
  for (const entry of entries) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) {
      found.push(...(await listFiles(path, now)));
      // One that has just been made may be about to get its first file. Those that still have something stay.
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: now }));
      if (now - mtimeMs > EMPTY_FOR_MS) await rmdir(path).catch(() => undefined);
    } else if (entry.isFile()) {
      const stats = await stat(path).catch(() => undefined);
      if (stats !== undefined) found.push({ path, size: stats.size, changedAt: stats.mtimeMs });
    }
  }
  return found;
}
