/**
 * The runner: starts processes that outlive this daemon, watches them to their end, and finds those of an earlier daemon again.
 * Guarantees that a process has only the given environment, its own session and an empty standard input; that its output is passed on in
 * order, once, with secrets masked, no faster than it is taken; and that only its own processes are ever signalled. If the daemon is
 * killed, output that it had read and not passed on is lost; unread output is not. Decides nothing: who may run what, limits and journals
 * belong to the target.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, constants, rm, rmdir, unlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { DtkdError } from '../../../../protocol/errors.ts';
import { systemCode } from '../../disk/system-error.ts';
import type { Logger } from '../../logging/logger.types.ts';
import { createAccounts } from './accounts.ts';
import { argumentsOf, numbersOfAll } from './family.ts';
import { holdVariables } from './held-variables.ts';
import { bootId, GONE, lookAt } from './identity.ts';
import { createLauncher, type EndListener } from './launcher.ts';
import { createLeftBehind } from './left-behind.ts';
import { compileMasks, type Masks } from './masks.ts';
import { type OutputReader, readOutput } from './output-reader.ts';
import { checkDirectory, findProgram } from './program.ts';
import {
  closePipes,
  closeQuietly,
  createRunDirectories,
  ERR,
  letOpen,
  mayHaveBegun,
  OUT,
  openEnds,
  PIPES,
  RECORD,
  readRecord,
  removePipes,
  reopen,
  TAKEN,
  throwRefusal,
} from './run-directories.ts';
import type { ProcessIdentity, ProcessSpec, Runner } from './runner.types.ts';
import { type Supervised, supervise } from './running.ts';
import { removeSecretFiles, writeSecretFiles } from './secret-files.ts';
import { recordedPid, SHELL, wrapperArguments } from './wrapper.ts';

/** Preferred place for secret files: memory instead of a disk. */
const MEMORY_DIRECTORY = '/dev/shm';
/** Names that the shell between the daemon and the process passes on. */
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

export interface RunnerOptions {
  /**
   * The runner's own directory, for prepared run directories and the pipes of processes left behind. Must be on the same file system as
   * the run directories.
   */
  directory: string;
  logger: Logger;
  /** Directory for secret files; default: in memory, if there is such a place. */
  secrets?: string;
}

type Output = Parameters<Runner['start']>[1];

/** Creates the runner of a daemon. */
export function createRunner({ directory: own, logger, secrets }: RunnerOptions): Runner {
  const directories = createRunDirectories(join(own, 'ahead'));
  const leftBehind = createLeftBehind(join(own, 'left'));
  const accounts = createAccounts();
  const launcher = createLauncher(logger);
  const watched = new Set<Supervised>();
  const memory = secrets === undefined ? findMemory() : Promise.resolve(secrets);
  let closed = false;

  const readersOf = (out: number | undefined, err: number | undefined, masks: Masks, output: Output): Map<OutputReader, string> => {
    const readers = new Map<OutputReader, string>();
    if (out !== undefined)
      readers.set(
        readOutput(out, masks.masker(), (chunk) => output('out', chunk)),
        OUT,
      );
    if (err !== undefined)
      readers.set(
        readOutput(err, masks.masker(), (chunk) => output('err', chunk)),
        ERR,
      );
    return readers;
  };

  const watch = (
    run: string,
    identity: ProcessIdentity,
    boot: string,
    parts: { record: number | undefined; readers: Map<OutputReader, string>; told: boolean; own: boolean; secret: boolean; output: Output },
  ): Supervised => {
    const { record, readers, told, own, secret, output } = parts;
    const supervised = supervise({
      identity,
      boot,
      run,
      record,
      readers: [...readers.keys()],
      told,
      own,
      complain: (text) => void output('err', Buffer.from(text)),
      async clear(left) {
        watched.delete(supervised);
        if (left.length > 0)
          logger.info({ run, pid: identity.pid }, 'processes still hold the output of a command that is not watched any longer');
        for (const reader of left) await leftBehind.keep(reader, join(run, readers.get(reader) ?? OUT));
        if (secret) await removeSecretFiles(run);
        if (!launcher.remove(PIPES.map((pipe) => join(run, pipe)))) void removePipes(run);
      },
    });
    watched.add(supervised);
    return supervised;
  };

  return {
    account: (user) => accounts.find(user),

    async start(spec, output) {
      const name = spec.argv[0];
      if (name === undefined) throw new DtkdError('INVALID', 'there is no program to start');
      checkEnvironment(spec);
      const masks = compileMasks(spec.masks);
      const run = resolve(spec.directory);
      const [taken, checked] = await Promise.allSettled([
        directories.take(run),
        Promise.all([
          findProgram(name, spec.cwd, spec.env['PATH']),
          accounts.become(spec.user),
          bootId(),
          memory,
          checkDirectory(spec.cwd),
        ]),
      ]);
      if (taken.status === 'rejected') throw checked.status === 'rejected' ? checked.reason : taken.reason;
      const pipes = taken.value;
      const undo = async (): Promise<void> => {
        closePipes(pipes);
        await removeRun(run);
      };
      if (checked.status === 'rejected') {
        await undo();
        throw checked.reason;
      }
      const [program, who, boot, memoryPlace] = checked.value;
      const startWrapper = async () => {
        if (closed) throw new DtkdError('UNAVAILABLE', 'this daemon is stopping');
        // Without the right to change the group, the process still runs.
        if (who.account !== undefined) await letOpen(run, who.account.gid).catch(() => undefined);
        const variables = await writeSecretFiles(run, spec.secretFiles, who.account, memoryPlace).catch(throwRefusal);
        const { cwd } = spec;
        const whole = { ...spec.env, ...variables };
        // The programs in between have rights that the process must not have.
        const { env, prefix } = who.prefix.length === 0 ? { env: whole, prefix: [] } : holdVariables(whole);
        const [first = program, ...rest] = [...who.prefix, ...prefix, program, ...spec.argv.slice(1)];
        const args = wrapperArguments(join(run, TAKEN), process.pid, first, rest);
        const files = { out: join(run, OUT), record: join(run, RECORD), err: join(run, ERR) };
        const { script } = spec;
        const spawnHere = async () => {
          if (script !== undefined) await writeFile(script.path, script.text, { mode: 0o700 }).catch(throwRefusal);
          return spawnWrapper(args, cwd, env, run, pipes.record);
        };
        const launch = await launcher.launch({ cwd, ...files, script, argv: [SHELL, ...args], env }, boot);
        switch (launch?.is) {
          case undefined:
            return spawnHere();
          case 'began':
            return { which: { pid: launch.pid, start: launch.start }, onExit: launch.onExit, own: false };
          case 'refused':
            throw notStarted(launch.code, cwd);
          case 'unsure':
            if (!(await mayHaveBegun(pipes.record))) return spawnHere();
            return { which: await findNumber(pipes.record, run), onExit: undefined, own: false };
        }
      };
      const child = await startWrapper().catch(async (error: unknown) => {
        await undo();
        throw error;
      });
      const { out, err, record } = pipes;
      const readers = readersOf(out, err, masks, output);
      const supervised = watch(run, { boot, ...child.which }, boot, {
        record,
        readers,
        told: child.onExit !== undefined,
        own: child.own,
        secret: spec.secretFiles.length > 0,
        output,
      });
      child.onExit?.(supervised.gone);
      return supervised.process;
    },

    async adopt(directory, identity, masks, output) {
      const run = resolve(directory);
      const compiled = compileMasks(masks);
      const boot = await bootId();
      const { out, err, record, alone } = await reopen(run);
      const found = identity ?? { boot, ...(await findNumber(record, run)) };
      const readers = readersOf(out, err, compiled, output);
      const { process } = watch(run, found, boot, { record, readers, told: false, own: false, secret: true, output });
      return alone || readers.size === 0 ? process : { ...process, gap: true };
    },

    async remove(paths) {
      if (launcher.remove(paths)) return;
      for (const path of paths) await unlink(path).catch(() => rmdir(path).catch(() => undefined));
      const directory = paths.at(-1);
      if (directory !== undefined) await rm(directory, { recursive: true, force: true }).catch(() => undefined);
    },

    async close() {
      closed = true;
      launcher.close();
      await Promise.all([...watched].map((supervised) => supervised.abandon()));
      watched.clear();
      await Promise.all([directories.close(), leftBehind.close()]);
    },
  };
}

/** Errors: INVALID for names that a shell would not pass on. */
function checkEnvironment({ env, secretFiles }: ProcessSpec): void {
  const odd = [...Object.keys(env), ...secretFiles.map(({ variable }) => variable)].find((name) => !VARIABLE.test(name));
  if (odd !== undefined) throw new DtkdError('INVALID', `${JSON.stringify(odd)} is not the name of an environment variable`);
}

async function findMemory(): Promise<string | undefined> {
  return access(MEMORY_DIRECTORY, constants.W_OK | constants.X_OK).then(
    () => MEMORY_DIRECTORY,
    () => undefined,
  );
}

/** Removes what a failed start has made. */
async function removeRun(run: string): Promise<void> {
  await removeSecretFiles(run);
  await removePipes(run);
  await rm(join(run, RECORD), { force: true });
  await rmdir(run).catch(() => undefined);
}

/** Starts the shell. Reads its start time at once: later the shell may have ended and been reaped. Errors: INVALID, UNAVAILABLE. */
async function spawnWrapper(args: string[], cwd: string, env: Record<string, string>, run: string, record: number) {
  const { out, err } = await openEnds(run);
  let child: ChildProcess;
  try {
    child = spawn(SHELL, args, { detached: true, cwd, env, stdio: ['ignore', out, record, err] });
  } catch (cause) {
    if (systemCode(cause) === 'E2BIG') throw notStarted('E2BIG', cwd, cause);
    throw new DtkdError(
      'INVALID',
      'the process cannot be started: its arguments or environment contain a character that no process can be given',
      {
        cause,
      },
    );
  } finally {
    for (const end of [out, err]) closeQuietly(end);
  }
  if (child.pid === undefined) {
    const [cause] = await once(child, 'error');
    throw notStarted(systemCode(cause), cwd, cause);
  }
  child.unref();
  return {
    which: { pid: child.pid, start: lookAt(child.pid)?.start ?? GONE },
    onExit: (listener: EndListener) => void child.once('exit', listener),
    own: true,
  };
}

function notStarted(code: string | undefined, cwd: string, cause?: unknown): DtkdError {
  if (code === 'E2BIG')
    return new DtkdError('INVALID', 'the process cannot be started: its arguments and environment are too long', { cause });
  if (code === 'EACCES' || code === 'ENOENT') return new DtkdError('INVALID', `no process can be started in ${cwd} (${code})`, { cause });
  return new DtkdError('UNAVAILABLE', `no process can be started now (${code ?? 'unknown'})`, {
    cause,
    next: 'Check the limits of this machine.',
  });
}

/**
 * Finds the process of a run directory whose number was not noted: the shell that its record names, or, if its daemon died before the
 * shell wrote that, the one among all processes that has the pipe as an argument. `GONE` if there is none: it has ended, or never began.
 */
async function findNumber(record: number | undefined, run: string): Promise<{ pid: number; start: string }> {
  if (record === undefined) return { pid: 0, start: GONE };
  const taken = join(run, TAKEN);
  const recorded = recordedPid(await readRecord(record));
  for (const pid of recorded === undefined ? await numbersOfAll() : [recorded]) {
    const before = lookAt(pid);
    if (before !== undefined && (await argumentsOf(pid)).includes(taken) && lookAt(pid)?.start === before.start)
      return { pid, start: before.start };
  }
  return { pid: recorded ?? 0, start: GONE };
}
