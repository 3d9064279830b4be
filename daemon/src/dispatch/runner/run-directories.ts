/**
 * Prepares run directories ahead of time: three pipes (`out`, `err`, `taken`) and, once used, a record (`exit`). Only an external program
 * can make a named pipe, so one call makes many while the daemon is idle, and a start costs one rename. A used directory is never reused;
 * unused ones of an earlier daemon are. A daemon that starts nothing makes none, and one that stops leaves none.
 */
import { execFile } from 'node:child_process';
import { closeSync, constants, fstat as fstatWithCallback, open as openWithCallback, read as readWithCallback } from 'node:fs';
import { chmod, chown, mkdir, readdir, rename, rm, rmdir, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { DtkdError } from '../../../../protocol/errors.ts';
import { isFull, systemCode } from '../../disk/system-error.ts';
import { MAX_RECORD_FILE_BYTES } from './wrapper.ts';

/** Directories to prepare, once fewer than `LOW` are left. Starts beyond this number wait for another call. */
const AHEAD = 32;
const LOW = 8;
/** Directories kept with open ends: three open files each. */
const OPEN_AHEAD = 4;
/** Idle time before any are prepared: making some takes as long as starting a process. */
const CALM_MS = 100;
/** Directories per call: the length of a command line is limited. */
const MAX_CALL = 64;
const CALL_TIMEOUT_MS = 10_000;

export const OUT = 'out';
export const ERR = 'err';
export const TAKEN = 'taken';
export const RECORD = 'exit';
const ALONE = 'alone';
export const PIPES = [OUT, ERR, TAKEN];

const run = promisify(execFile);
/** The system's program for named pipes, which Node.js cannot make. */
const MAKE_PIPES = 'mkfifo';
const open = promisify(openWithCallback);
const read = promisify(readWithCallback);
const fstat = promisify(fstatWithCallback);

/** Descriptors of a run directory's open ends. The caller of `take` must close them. */
export interface RunPipes {
  /** Read ends. They reach the end of file once all write ends are closed. */
  out: number;
  err: number;
  /** Opened to append. The shell appends to the same file. */
  record: number;
}

export interface RunDirectories {
  /**
   * Turns `target` into a run directory. It may exist and contain other files. Errors: UNAVAILABLE, DISK_FULL, INVALID if it already was
   * a run directory.
   */
  take(target: string): Promise<RunPipes>;
  close(): Promise<void>;
}

export function createRunDirectories(directory: string): RunDirectories {
  const stock: string[] = [];
  const opened: { path: string; pipes: RunPipes }[] = [];
  const waiting: { resolve: (path: string) => void; reject: (error: unknown) => void }[] = [];
  let closed = false;
  let made = 0;
  let filling: Promise<void> | undefined;
  let preparing: Promise<void> | undefined;
  let calm: NodeJS.Timeout | undefined;
  const found = findStock(directory).then((paths) => {
    stock.push(...paths);
    serve();
  });
  found.catch(() => undefined);

  const serve = (): void => {
    while (waiting.length > 0) {
      const path = stock.pop();
      if (path === undefined) {
        fill();
        return;
      }
      waiting.shift()?.resolve(path);
    }
  };

  const fill = (): void => {
    if (closed) return;
    filling ??= make().finally(() => {
      filling = undefined;
      serve();
    });
  };

  const make = async (): Promise<void> => {
    try {
      await found;
      while (!closed && stock.length < AHEAD + waiting.length) {
        const count = Math.min(AHEAD + waiting.length - stock.length, MAX_CALL);
        stock.push(...(await makePipes(Array.from({ length: count }, () => join(directory, `${Date.now()}-${process.pid}-${made++}`)))));
        serve();
      }
    } catch (error) {
      for (const { reject } of waiting.splice(0)) reject(error);
    }
  };

  const prepare = async (): Promise<void> => {
    await found;
    if (stock.length < LOW) fill();
    await filling;
    while (opened.length < OPEN_AHEAD && !closed) {
      const path = stock.pop();
      if (path === undefined) return;
      opened.push({ path, pipes: await openAll(path) });
    }
  };

  const whenCalm = (): void => {
    clearTimeout(calm);
    if (closed) return;
    calm = setTimeout(() => {
      // The error is reported to the start that needs a directory.
      preparing = prepare().catch(() => undefined);
    }, CALM_MS).unref();
  };

  const next = (): Promise<string> =>
    new Promise((resolve, reject) => {
      waiting.push({ resolve, reject });
      serve();
    });

  const openNext = async (): Promise<{ path: string; pipes: RunPipes }> => {
    const path = stock.pop() ?? (await next());
    return { path, pipes: await openAll(path) };
  };

  return {
    async take(target) {
      if (closed) throw stopping();
      try {
        await found;
        whenCalm();
        const { path, pipes } = opened.pop() ?? (await openNext());
        try {
          await place(path, target);
          return pipes;
        } catch (error) {
          closePipes(pipes);
          await rm(path, { recursive: true, force: true });
          throw error;
        }
      } catch (error) {
        throw toRefusal(error);
      }
    },

    async close() {
      closed = true;
      clearTimeout(calm);
      await found.catch(() => undefined);
      await filling;
      await preparing;
      for (const { reject } of waiting.splice(0)) reject(stopping());
      for (const { pipes } of opened.splice(0)) closePipes(pipes);
      // Not every program that copies a data directory can handle pipes.
      stock.length = 0;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function stopping(): DtkdError {
  return new DtkdError('UNAVAILABLE', 'this daemon is stopping');
}

/** Returns the complete unused directories, and removes the incomplete ones that a crash left. */
async function findStock(directory: string): Promise<string[]> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const paths: string[] = [];
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    const entries: string[] = await readdir(path).catch(() => []);
    if (entries.length === PIPES.length && PIPES.every((pipe) => entries.includes(pipe))) paths.push(path);
    else await rm(path, { recursive: true, force: true });
  }
  return paths;
}

/** Opens what is left of the run directory of an earlier process. `alone`: the earlier daemon had left it alone; the mark is removed. */
export async function reopen(run: string): Promise<{ [End in 'out' | 'err' | 'record']: number | undefined } & { alone: boolean }> {
  const [out, err, record] = await Promise.all([
    reopenPipe(join(run, OUT)),
    reopenPipe(join(run, ERR)),
    open(join(run, RECORD), constants.O_RDWR | constants.O_APPEND).catch(() => undefined),
  ]);
  const alone = await rm(join(run, ALONE)).then(
    () => true,
    () => false,
  );
  return { out, err, record, alone };
}

/**
 * Opens the read end of a pipe that others may hold open, or nobody. Linux reports the end of file only to a reader that had the pipe
 * open while there was a writer, so this briefly opens it for writing, too. Undefined if it cannot be opened.
 */
export async function reopenPipe(path: string): Promise<number | undefined> {
  const pipe = await open(path, READ_END).catch(() => undefined);
  if (pipe === undefined) return undefined;
  const other = await open(path, constants.O_WRONLY | constants.O_NONBLOCK).catch(() => undefined);
  if (other !== undefined) closeQuietly(other);
  return pipe;
}

/** Releases a shell that waits for its pipes to be opened again. False if none waits, or not yet. */
export async function letGo(run: string): Promise<boolean> {
  try {
    closeQuietly(await open(join(run, TAKEN), constants.O_WRONLY | constants.O_NONBLOCK));
    return true;
  } catch {
    return false;
  }
}

/**
 * Lets a user of that group open the output pipes by name, as with /dev/stderr. Only for writing: the group may have other members, and
 * the output in the pipes is not masked yet. The pipes stay the daemon's own, so that a later daemon can read them.
 */
export async function letOpen(run: string, gid: number): Promise<void> {
  for (const name of [OUT, ERR]) {
    await chown(join(run, name), process.geteuid?.() ?? -1, gid);
    await chmod(join(run, name), 0o620);
  }
}

/** Tells the shell of a run that nobody reads its pipes any more, although this daemon is still alive. */
export async function leaveAlone(run: string): Promise<void> {
  await writeFile(join(run, ALONE), '', { mode: 0o600 }).catch(() => undefined);
}

/** Removes the pipes of a run that has ended. The record stays, and so does the mark of a run that was left alone. Never rejects. */
export async function removePipes(run: string): Promise<void> {
  await Promise.all(PIPES.map((name) => unlink(join(run, name)).catch(() => undefined)));
}

export function closePipes({ out, err, record }: RunPipes): void {
  for (const one of [out, err, record]) closeQuietly(one);
}

/** Opens the process's ends, for reading and writing. The caller must close them. */
export async function openEnds(run: string): Promise<{ out: number; err: number }> {
  const [out, err] = await Promise.allSettled([open(join(run, OUT), constants.O_RDWR), open(join(run, ERR), constants.O_RDWR)]);
  if (out.status === 'fulfilled' && err.status === 'fulfilled') return { out: out.value, err: err.value };
  for (const one of [out, err]) if (one.status === 'fulfilled') closeQuietly(one.value);
  throw toRefusal([out, err].find((one) => one.status === 'rejected')?.reason);
}

/** Returns what a record contains so far. Never rejects. */
export async function readRecord(record: number): Promise<string> {
  const buffer = Buffer.alloc(MAX_RECORD_FILE_BYTES);
  const { bytesRead } = await read(record, buffer, 0, buffer.length, 0).catch(() => ({ bytesRead: 0 }));
  return buffer.toString('latin1', 0, bytesRead);
}

/** Called after a launcher has ended during a launch. False if it is certain that the process did not begin. Never rejects. */
export async function mayHaveBegun(record: number): Promise<boolean> {
  return fstat(record).then(
    ({ mode }) => (mode & constants.S_IXUSR) !== 0,
    () => true,
  );
}

/**
 * Closes a descriptor of a pipe or a record, synchronously: that never blocks, and costs less than handing it to another thread. Never
 * throws.
 */
export function closeQuietly(descriptor: number): void {
  try {
    closeSync(descriptor);
  } catch {
    // It is closed already.
  }
}

const READ_END = constants.O_RDONLY | constants.O_NONBLOCK;

async function makePipes(paths: readonly string[]): Promise<readonly string[]> {
  await Promise.all(paths.map((path) => mkdir(path, { mode: 0o700 })));
  await run(MAKE_PIPES, ['-m', '600', ...paths.flatMap((path) => PIPES.map((name) => join(path, name)))], { timeout: CALL_TIMEOUT_MS });
  return paths;
}

async function openAll(path: string): Promise<RunPipes> {
  const opened = await Promise.allSettled([
    open(join(path, OUT), READ_END),
    open(join(path, ERR), READ_END),
    open(join(path, RECORD), 'a+', 0o600),
  ]);
  const [out, err, record] = opened.map((one) => (one.status === 'fulfilled' ? one.value : undefined));
  if (out !== undefined && err !== undefined && record !== undefined) return { out, err, record };
  // Some may have failed, as with too many open files.
  for (const one of [out, err, record]) if (one !== undefined) closeQuietly(one);
  throw opened.find((one) => one.status === 'rejected')?.reason;
}

/** Moves a prepared directory to `to`; if that is a directory with other files, moves its entries there. */
async function place(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
    return;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT') {
      await mkdir(dirname(to), { recursive: true, mode: 0o700 });
      await rename(from, to);
      return;
    }
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
  if ((await readdir(to)).includes(RECORD)) {
    throw new DtkdError('INVALID', `a process was started in ${to} before`);
  }
  await Promise.all([...PIPES, RECORD].map((name) => rename(join(from, name), join(to, name))));
  await rmdir(from);
}

function toRefusal(error: unknown): DtkdError {
  if (error instanceof DtkdError) return error;
  const code = systemCode(error);
  if (isFull(error)) return new DtkdError('DISK_FULL', 'the disk is full: no process can be started', { cause: error });
  if (code === 'ENOENT' && error instanceof Error && 'path' in error && error.path === MAKE_PIPES) {
    return new DtkdError('UNAVAILABLE', `no process can be started: the daemon finds no program ${MAKE_PIPES}`, {
      next: 'Start the daemon with a PATH that leads to the programs of the system (/usr/bin:/bin).',
      cause: error,
    });
  }
  return new DtkdError('UNAVAILABLE', `no process can be started now${code === undefined ? '' : ` (${code})`}`, { cause: error });
}

/** Throws the refusal for an error that occurred before anything was started. Errors: DISK_FULL, UNAVAILABLE. */
export function throwRefusal(error: unknown): never {
  throw toRefusal(error);
}
