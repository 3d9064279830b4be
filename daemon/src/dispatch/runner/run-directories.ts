/**
 * Run directories, made ahead: three pipes (`out`, `err`, `taken`) and an empty record (`exit`), with the ends open that a process needs. Only a program can make a pipe with a
 * name, so one call makes several, before they are needed; a start then costs one rename. What was used is never used again.
 */
import { execFile } from 'node:child_process';
import { close as closeWithCallback, constants, open as openWithCallback, read as readWithCallback } from 'node:fs';
import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { DtkdError } from '../../../../protocol/errors.ts';
import { MAX_RECORD_FILE_BYTES } from './wrapper.ts';

/** Run directories ready at any time, five open files each: more starts than this at once wait for one more call. */
const AHEAD = 4;
/** Made by one call at most: the length of a command line is limited. */
const MAX_CALL = 64;
const CALL_TIMEOUT_MS = 10_000;

export const OUT = 'out';
export const ERR = 'err';
export const TAKEN = 'taken';
export const RECORD = 'exit';
const PIPES = [OUT, ERR, TAKEN];

const run = promisify(execFile);
const open = promisify(openWithCallback);
const close = promisify(closeWithCallback);
const read = promisify(readWithCallback);

/** The open ends of a run directory, as descriptors. Whoever takes it closes them. */
export interface RunPipes {
  /** To read from. They see the end once all others are closed. */
  out: number;
  err: number;
  /** For the process: open for reading and writing. */
  outEnd: number;
  errEnd: number;
  /** Appended to, by the shell and by us. */
  record: number;
}

export interface RunDirectories {
  /** Makes `target` a run directory; it may exist, with other files. Errors: UNAVAILABLE, DISK_FULL, INVALID if it was one before. */
  take(target: string): Promise<RunPipes>;
  close(): Promise<void>;
}

interface Prepared {
  path: string;
  pipes: RunPipes;
}

export function createRunDirectories(directory: string, ahead = AHEAD): RunDirectories {
  const ready: Prepared[] = [];
  const waiting: { resolve: (prepared: Prepared) => void; reject: (error: unknown) => void }[] = [];
  let closed = false;
  let made = 0;
  /** What an earlier daemon had made ahead is in nobody's way, but goes. */
  const cleared = rm(directory, { recursive: true, force: true }).then(() => mkdir(directory, { recursive: true, mode: 0o700 }));
  let filling: Promise<void> | undefined;

  const fill = (): void => {
    if (closed) return;
    filling ??= fillUp().finally(() => {
      filling = undefined;
      if (waiting.length > 0) fill();
    });
  };

  const fillUp = async (): Promise<void> => {
    try {
      await cleared;
      while (!closed && ready.length < ahead + waiting.length) {
        const count = Math.min(ahead + waiting.length - ready.length, MAX_CALL);
        const paths = Array.from({ length: count }, () => join(directory, `${process.pid}-${made++}`));
        for (const prepared of await prepare(paths)) {
          const next = waiting.shift();
          if (next === undefined) ready.push(prepared);
          else next.resolve(prepared);
        }
      }
    } catch (error) {
      for (const { reject } of waiting.splice(0)) reject(toRefusal(error));
    }
  };

  fill();

  return {
    async take(target) {
      const prepared =
        ready.shift() ??
        (await new Promise<Prepared>((resolve, reject) => {
          if (closed) reject(new DtkdError('UNAVAILABLE', 'this daemon is stopping'));
          else waiting.push({ resolve, reject });
          fill();
        }));
      fill();
      try {
        await place(prepared.path, target);
        return prepared.pipes;
      } catch (error) {
        await closePipes(prepared.pipes);
        await rm(prepared.path, { recursive: true, force: true });
        throw toRefusal(error);
      }
    },

    async close() {
      closed = true;
      await filling;
      for (const { reject } of waiting.splice(0)) reject(new DtkdError('UNAVAILABLE', 'this daemon is stopping'));
      await Promise.all(ready.splice(0).map(({ pipes }) => closePipes(pipes)));
      await cleared.then(() => rm(directory, { recursive: true, force: true })).catch(() => undefined);
    },
  };
}

/** What there is of the run directory of a process that was started before. */
export async function reopen(run: string): Promise<{ [End in 'out' | 'err' | 'record']: number | undefined }> {
  const [out, err, record] = await Promise.all([
    open(join(run, OUT), READ_END).catch(() => undefined),
    open(join(run, ERR), READ_END).catch(() => undefined),
    open(join(run, RECORD), constants.O_RDWR | constants.O_APPEND).catch(() => undefined),
  ]);
  return { out, err, record };
}

/** Lets a shell go that waits until its pipes are open again. False: none waits, or not yet. */
export async function letGo(run: string): Promise<boolean> {
  try {
    await close(await open(join(run, TAKEN), constants.O_WRONLY | constants.O_NONBLOCK));
    return true;
  } catch {
    return false;
  }
}

/** Removes the pipes of a run that has ended. The record stays. Never rejects. */
export async function removePipes(run: string): Promise<void> {
  await Promise.all(PIPES.map((name) => rm(join(run, name), { force: true }).catch(() => undefined)));
}

export async function closePipes(pipes: RunPipes): Promise<void> {
  const { out, err, outEnd, errEnd, record } = pipes;
  await Promise.all([out, err, outEnd, errEnd, record].map(closeQuietly));
}

/** What a record says so far. Never rejects. */
export async function readRecord(record: number): Promise<string> {
  const buffer = Buffer.alloc(MAX_RECORD_FILE_BYTES);
  const { bytesRead } = await read(record, buffer, 0, buffer.length, 0).catch(() => ({ bytesRead: 0 }));
  return buffer.toString('latin1', 0, bytesRead);
}

/** Closes a descriptor. Never rejects. */
export async function closeQuietly(descriptor: number): Promise<void> {
  await close(descriptor).catch(() => undefined);
}

const READ_END = constants.O_RDONLY | constants.O_NONBLOCK;

async function prepare(paths: readonly string[]): Promise<Prepared[]> {
  await Promise.all(paths.map((path) => mkdir(path, { mode: 0o700 })));
  await run('mkfifo', ['-m', '600', ...paths.flatMap((path) => PIPES.map((name) => join(path, name)))], { timeout: CALL_TIMEOUT_MS });
  return Promise.all(paths.map(async (path) => ({ path, pipes: await openAll(path) })));
}

async function openAll(path: string): Promise<RunPipes> {
  const [out, err, outEnd, errEnd, record] = await Promise.all([
    open(join(path, OUT), READ_END),
    open(join(path, ERR), READ_END),
    open(join(path, OUT), constants.O_RDWR),
    open(join(path, ERR), constants.O_RDWR),
    open(join(path, RECORD), 'a+', 0o600),
  ]);
  return { out, err, outEnd, errEnd, record };
}

/** Puts a prepared directory where it is wanted; into a directory that has other files, its entries. */
async function place(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
    return;
  } catch (error) {
    const code = codeOf(error);
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
  const code = codeOf(error);
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new DtkdError('DISK_FULL', 'the disk is full: no process can be started', { cause: error });
  return new DtkdError('UNAVAILABLE', `no process can be started now${code === undefined ? '' : ` (${code})`}`, { cause: error });
}

/** The code of an error of the system. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
