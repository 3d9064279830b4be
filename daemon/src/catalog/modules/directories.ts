/**
 * Modules as directories from which commands run: DIRECTORY/DIGEST, with read-only files. Each is created whole or not at all, compared
 * byte by byte with its archive on first use after a start, and checked again before each later use: any file that was altered, added or
 * removed is noticed before it runs.
 */
import { chmod, lstat, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ModuleArchive } from '../../../../protocol/definitions/module.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { syncDirectory } from '../../disk/sync-directory.ts';
import { isFull, isMissing } from '../../disk/system-error.ts';
import { AT_ONCE } from './limits.ts';
import type { LoadedModule } from './ports.ts';

const TEMPORARY = '.new-';
const PLAIN = 0o444;
const EXECUTABLE = 0o555;
const DIRECTORY = 0o755;

interface Unpacked {
  path: string;
  /** What the file system reports of each file and directory; any change to one changes it. */
  fingerprint: string;
  look?: Promise<boolean> | undefined;
}

export interface DirectoriesOptions {
  /** Where the directories are created. */
  directory: string;
  load: (digest: string) => Promise<LoadedModule | undefined>;
}

export class ModuleDirectories {
  readonly #options: DirectoriesOptions;
  readonly #known = new Map<string, Unpacked>();
  readonly #making = new Map<string, Promise<Unpacked>>();
  #count = 0;

  constructor(options: DirectoriesOptions) {
    this.#options = options;
  }

  /** Errors: CONTENT_MISSING, CONTENT_ALTERED, DISK_FULL. */
  async directory(digest: string): Promise<string> {
    const known = this.#known.get(digest);
    if (known !== undefined && (await this.#unchanged(known))) return known.path;
    this.#known.delete(digest);
    const running = this.#making.get(digest) ?? this.#open(digest).finally(() => this.#making.delete(digest));
    this.#making.set(digest, running);
    const unpacked = await running;
    this.#known.set(digest, unpacked);
    return unpacked.path;
  }

  /** Removes unfinished directories, and those that are no longer wanted. */
  async tidy(wanted: (digest: string) => boolean): Promise<void> {
    const { directory } = this.#options;
    await mkdir(directory, { recursive: true });
    for (const name of await readdir(directory)) {
      // a temporary directory may be in use while one is being made
      const leftover = name.startsWith(TEMPORARY) ? this.#making.size === 0 : /^[0-9a-f]{64}$/.test(name) && !wanted(name);
      if (leftover) await rm(join(directory, name), { recursive: true, force: true });
    }
  }

  /** Callers that ask during a check share its result. */
  #unchanged(known: Unpacked): Promise<boolean> {
    known.look ??= fingerprintOf(known.path)
      .then((fingerprint) => fingerprint === known.fingerprint)
      .finally(() => {
        known.look = undefined;
      });
    return known.look;
  }

  async #open(digest: string): Promise<Unpacked> {
    const loaded = await this.#options.load(digest);
    if (loaded === undefined) {
      throw new DtkdError('CONTENT_MISSING', `the module ${digest.slice(0, 12)}… is not on this node, or was altered`, {
        next: 'Install it again from its source.',
      });
    }
    const path = join(this.#options.directory, digest);
    try {
      if (await exists(path)) await assertSame(path, loaded);
      else await this.#unpack(path, loaded.archive);
      await openDirectories(path);
      return { path, fingerprint: await fingerprintOf(path) };
    } catch (cause) {
      throw storageError(cause);
    }
  }

  /** Writes everything to disk before the directory gets its final name, so that a crash leaves all of it or nothing. */
  async #unpack(path: string, archive: ModuleArchive): Promise<void> {
    this.#count += 1;
    const temporary = join(this.#options.directory, `${TEMPORARY}${process.pid}-${this.#count}`);
    try {
      await mkdir(temporary, { recursive: true, mode: DIRECTORY });
      const directories = new Set(archive.files.map((file) => dirname(join(temporary, file.path))));
      for (const one of directories) await mkdir(one, { recursive: true, mode: DIRECTORY });
      await eachOf(archive.files, (file) => writeNew(join(temporary, file.path), file.data, file.executable ? EXECUTABLE : PLAIN));
      for (const one of new Set([...directories, temporary])) await syncDirectory(one);
      await rename(temporary, path);
      await syncDirectory(this.#options.directory);
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  }
}

async function writeNew(path: string, data: Uint8Array, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode);
  try {
    await file.writeFile(data);
    // independent of the daemon's umask
    await file.chmod(mode);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Throws CONTENT_ALTERED, naming the first difference from the archive. */
async function assertSame(path: string, { archive, ref }: LoadedModule): Promise<void> {
  const altered = (what: string): DtkdError =>
    new DtkdError('CONTENT_ALTERED', `module ${ref.name} ${ref.version ?? ''} was altered on this node: ${what}`, {
      next: `Find out what happened, then remove ${path}: dtkd creates it again.`,
      details: { directory: path },
    });
  const wanted = new Map(archive.files.map((file) => [file.path, file]));
  const there = new Set<string>();
  for (const { name, stats } of await walk(path)) {
    if (stats.isDirectory()) continue;
    const file = wanted.get(name);
    if (file === undefined) throw altered(`${JSON.stringify(name)} does not belong to it`);
    if (!stats.isFile()) throw altered(`${JSON.stringify(name)} is not a file`);
    if ((stats.mode & 0o777) !== (file.executable ? EXECUTABLE : PLAIN)) throw altered(`${JSON.stringify(name)} has other permissions`);
    there.add(name);
  }
  await eachOf(archive.files, async (file) => {
    if (!there.has(file.path)) throw altered(`${JSON.stringify(file.path)} is missing`);
    const bytes = await readFile(join(path, file.path));
    if (!bytes.equals(file.data)) throw altered(`${JSON.stringify(file.path)} differs`);
  });
}

/**
 * Lets commands that run as another user read all files of the module, whatever the daemon's umask. Access to the module as a whole is
 * decided by the directories above.
 */
async function openDirectories(path: string): Promise<void> {
  for (const { name, stats } of await walk(path)) {
    if (stats.isDirectory() && (stats.mode & 0o777) !== DIRECTORY) await chmod(join(path, name), DIRECTORY);
  }
}

interface Entry {
  /** Relative path; empty for the directory itself. */
  name: string;
  stats: Awaited<ReturnType<typeof lstat>> & { mode: number };
}

/** All entries of a directory, in name order. Does not follow links. */
async function walk(path: string, below = ''): Promise<Entry[]> {
  const own = await lstat(join(path, below));
  const entries: Entry[] = [{ name: below, stats: own }];
  if (!own.isDirectory()) return entries;
  for (const name of (await readdir(join(path, below))).sort())
    entries.push(...(await walk(path, below === '' ? name : `${below}/${name}`)));
  return entries;
}

async function fingerprintOf(path: string): Promise<string> {
  try {
    const entries = await walk(path);
    // the ctime of an inode cannot be set back
    return entries
      .map(({ name, stats }) => `${name}\0${stats.ino} ${stats.size} ${stats.mode} ${Number(stats.mtimeMs)} ${Number(stats.ctimeMs)}`)
      .join('\n');
  } catch (error) {
    if (isMissing(error)) return 'gone';
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let start = 0; start < items.length; start += AT_ONCE) await Promise.all(items.slice(start, start + AT_ONCE).map(work));
}

function storageError(error: unknown): unknown {
  if (!isFull(error)) return error;
  return new DtkdError('DISK_FULL', 'there is no room on the disk for a module', { next: 'Free some space and try again.', cause: error });
}
