/**
 * Runs the processes of one part: gives each its environment, secrets and run directory, puts its output into the part's output, and ends
 * it when its time is over or it is aborted, after recording why. Leaves them all when the daemon stops: the pending promises then never
 * settle, and the next daemon finds the processes. Does not know what they are for.
 */
import { access, chown, constants, mkdir, readdir, rmdir, stat, unlink } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { DtkdError } from '../../../../../protocol/errors.ts';
import { systemCode } from '../../../disk/system-error.ts';
import type { ScriptResult } from '../../commands/commands.types.ts';
import { fileError } from '../../content/file-error.ts';
import type { SecretValues } from '../../dispatch.types.ts';
import { RECORD } from '../../runner/run-directories.ts';
import type { ProcessEnd, Runner, RunningProcess } from '../../runner/runner.types.ts';
import { KILL_GRACE_MS } from '../limits.ts';
import type { PartOutput, Source } from '../output.ts';
import type { NodeLimits } from '../target.types.ts';
import { allowedEnvironment } from './argv.ts';
import { givenBeside, noteGiven, readGiven } from './given-secrets.ts';
import { type KillNote, noteKill, readKillNote } from './kill-note.ts';
import type { Passage } from './passage.ts';
import { parseRunName, runName, scriptBeside } from './run-names.ts';

/** The longest delay that a timer takes. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** Rooms (run directories) remembered for `clear`; for a part with more, the runner looks what is there. */
const MAX_ROOMS = 8;
/** Prefix of the names of files written ahead; no run directory's name starts like this. */
const AHEAD = 'ahead-';

export interface ProcessesOptions {
  runner: Runner;
  secrets: SecretValues;
  output: PartOutput;
  /** The part's directory, in which each process gets one of its own. */
  directory: string;
  /** This node's name, for errors. */
  node: string;
  /** The daemon's environment, of which the policy lets processes see some variables. */
  environment: Readonly<Record<string, string | undefined>>;
  passage: Passage;
}

export interface ProcessOrder {
  source: Source;
  argv: readonly string[];
  /** Added to the variables of the daemon that the policy lets through. */
  env: Readonly<Record<string, string>>;
  /** Default: the user's home, to which a relative path is relative, too. */
  cwd?: string | undefined;
  user?: string | undefined;
  secrets: readonly { name: string; as: 'file' | 'env'; variable: string }[];
  /** A script to write first. */
  script?: { path: string; text: string } | undefined;
}

export class Processes {
  readonly #options: ProcessesOptions;
  #seq = 0;
  /** Number of processes that were or may have been started. */
  #begun = 0;
  readonly #starting = new Set<Promise<RunningProcess>>();
  /** Kill notes that are being written. */
  readonly #noting = new Set<Promise<KillNote | undefined>>();
  #made: Promise<unknown> | undefined;
  /** The first rooms that were assigned. */
  readonly #rooms: string[] = [];
  /** Files written ahead; most have been moved since. */
  readonly #ahead: string[] = [];
  /** Paths of the notes about the secrets that processes got. */
  readonly #noted: string[] = [];
  /** Users other than the daemon's own as whom processes may run. */
  #users: readonly string[] = [];
  /** Variables of the daemon's own environment that processes see. */
  #environment: Readonly<Record<string, string>> = {};
  /** Secret values given to processes of the part: one process may write what another got. */
  readonly #given = new Map<string, Buffer>();
  #letGo = false;

  constructor(options: ProcessesOptions) {
    this.#options = options;
  }

  /** Sets what processes may do, by the policy under which the part was decided last. Has to be called before anything runs. */
  underPolicy({ users, environment }: Pick<NodeLimits, 'users' | 'environment'>): void {
    this.#users = users;
    this.#environment = allowedEnvironment(this.#options.environment, environment);
  }

  /** Creates the part's directory. Errors: DISK_FULL and the like. */
  async makePlace(): Promise<void> {
    const { directory } = this.#options;
    this.#made ??= mkdir(directory, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
      this.#made = undefined;
      throw fileError(error, directory);
    });
    await this.#made;
  }

  /** The path of the run directory for the next process. */
  async room(source: Source): Promise<string> {
    await this.makePlace();
    this.#seq += 1;
    const room = join(this.#options.directory, runName(this.#seq, source));
    if (this.#rooms.length < MAX_ROOMS) this.#rooms.push(room);
    return room;
  }

  /** A path in the part's directory for a file to write ahead. */
  async fileAhead(): Promise<string> {
    await this.makePlace();
    const path = join(this.#options.directory, `${AHEAD}${this.#ahead.length}`);
    this.#ahead.push(path);
    return path;
  }

  /** Removes what was made ahead for a part of which nothing was or will be started. Never rejects. */
  async leave(): Promise<void> {
    await this.#made?.catch(() => undefined);
    await Promise.all(this.#ahead.map((path) => unlink(path).catch(() => undefined)));
    if (this.#made !== undefined) await rmdir(this.#options.directory).catch(() => undefined);
  }

  /**
   * Lets another user reach the file that it is to run, which it gets to own if it was written for the part, and the directory of the
   * resource. Errors: INVALID, FORBIDDEN.
   */
  async give(user: string, { file, own, directory }: { file: string; own: boolean; directory: string }): Promise<void> {
    this.assertAllowed(user);
    const { uid, gid } = await this.#options.runner.account(user);
    if (uid === process.geteuid?.()) return;
    if (own) await chown(file, uid, gid).catch(() => undefined);
    for (const one of [dirname(file), directory]) await this.#options.passage.to(one);
  }

  /** Starts and reports nothing from here on. Resolves once it is certain what was started and noted. Never rejects. */
  async letGo(): Promise<void> {
    this.#letGo = true;
    await Promise.allSettled([...this.#starting, ...this.#noting]);
  }

  /** Counts processes that an earlier daemon may have started. */
  mayHaveBegun(): void {
    this.#begun += 1;
  }

  /** True if nothing was started. */
  get untouched(): boolean {
    return this.#begun === 0;
  }

  /** Runs a process to its end. Errors: INVALID, FORBIDDEN, NOT_FOUND; then nothing was started. */
  async run(
    order: ProcessOrder,
    room: string,
    { timeoutMs, signal }: { timeoutMs: number | undefined; signal: AbortSignal },
  ): Promise<ScriptResult> {
    const { runner, output } = this.#options;
    const { source, argv, user, script } = order;
    this.assertAllowed(user);
    const base = await this.#environmentOf(user);
    const { env, secretFiles, masks } = await this.#withSecrets({ ...order, env: { ...base, ...order.env } });
    if (masks.length > 0) await this.#noteGiven(room, masks);
    const { cwd: given = '.' } = order;
    const cwd = isAbsolute(given) ? given : join(await homeOf(base['HOME']), given);
    signal.throwIfAborted();
    if (this.#letGo) return never();
    const starting = runner.start(
      { directory: room, argv, env, cwd, ...(user === undefined ? {} : { user }), masks, secretFiles, script },
      (stream, chunk) => output.write(stream, chunk, source),
    );
    this.#begun += 1;
    this.#starting.add(starting);
    const running = await starting
      .catch((error: unknown) => {
        this.#begun -= 1;
        throw error;
      })
      .finally(() => this.#starting.delete(starting));
    return this.#toEnd(running, { room, source }, { timeoutMs, signal });
  }

  /** Run directories that an earlier daemon left, in order of creation. Errors: those of the system, if the directory cannot be read. */
  async left(): Promise<{ room: string; source: Source }[]> {
    const names = await readdir(this.#options.directory).catch((error: unknown) => {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw error;
    });
    if (names === undefined) return [];
    // so that `clear` removes the directory even if nothing was begun in it
    this.#made ??= Promise.resolve();
    this.#ahead.push(...names.filter((name) => name.startsWith(AHEAD)).map((name) => join(this.#options.directory, name)));
    const runs = names.flatMap((name) => parseRunName(name) ?? []).sort((a, b) => a.seq - b.seq);
    this.#seq = runs.at(-1)?.seq ?? 0;
    return runs.map(({ seq, ...source }) => ({ room: join(this.#options.directory, runName(seq, source)), source }));
  }

  /**
   * Follows a process that an earlier daemon started to its end, and goes on ending it if that had begun. `secrets`: names of those whose
   * values must not appear in the output, neither their present values nor those that it got. If these cannot be known, its output is
   * left out.
   */
  async adopt(
    { room, source }: { room: string; source: Source },
    secrets: readonly string[],
    limits: { timeoutMs: number | undefined; signal: AbortSignal },
  ): Promise<ScriptResult> {
    const { output, runner } = this.#options;
    const masks = secrets.length === 0 ? [] : await this.#masksAgain(room, secrets);
    const noted = await readKillNote(room);
    if (masks === undefined) {
      await output.log('warning', source, 'its output is left out from here on: the secrets that it got can no longer be read');
    }
    const process = await runner.adopt(room, undefined, masks ?? [], (stream, chunk) =>
      masks === undefined ? undefined : output.write(stream, chunk, source),
    );
    return this.#toEnd(process, { room, source }, limits, noted);
  }

  /** Removes what was kept while the processes ran. Never rejects. */
  async clear(): Promise<void> {
    if (this.#made === undefined && this.#seq === 0) return;
    const { directory, runner } = this.#options;
    // listing all that is there takes three times as many calls, and usually there is only what is known
    const known = this.#rooms.flatMap((room) => [scriptBeside(room), join(room, RECORD), room]);
    await runner.remove([...known, ...this.#noted, ...this.#ahead, directory]);
  }

  async #noteGiven(room: string, values: readonly Buffer[]): Promise<void> {
    this.#noted.push(givenBeside(room));
    await noteGiven(this.#options.secrets, room, values);
  }

  /** The secret values that the process in a room got, and the present ones. Undefined if they cannot be known. */
  async #masksAgain(room: string, names: readonly string[]): Promise<Buffer[] | undefined> {
    const { secrets } = this.#options;
    try {
      const given = await readGiven(secrets, room);
      const present = await Promise.all(names.map((name) => secrets.get(name)));
      const all = [...given, ...present.flatMap((value) => (value === undefined ? [] : masksOf(value)))];
      // most have not changed, and only a limited number of bytes can be masked
      return [...new Map(all.map((value) => [value.toString('latin1'), value])).values()];
    } catch {
      return undefined;
    }
  }

  async #toEnd(
    process: { ended: Promise<ProcessEnd>; kill(graceMs?: number): Promise<ProcessEnd> },
    { room, source }: { room: string; source: Source },
    { timeoutMs, signal }: { timeoutMs: number | undefined; signal: AbortSignal },
    noted?: KillNote,
  ): Promise<ScriptResult> {
    let why = noted;
    let killing: Promise<void> | undefined;
    const note = async (reason: KillNote) => {
      const noting = noteKill(room, reason);
      this.#noting.add(noting);
      why = (await noting) ?? reason;
      this.#noting.delete(noting);
      if (!this.#letGo) void process.kill(KILL_GRACE_MS);
    };
    const kill = (code: string, message: string) => {
      if (this.#letGo || why !== undefined) return;
      why = { code, message, at: Date.now() };
      killing = note(why);
    };
    if (noted !== undefined && !this.#letGo) void process.kill(KILL_GRACE_MS);
    const aborted = () => {
      const reason: unknown = signal.reason;
      if (reason instanceof DtkdError) kill(reason.code, reason.message);
      else kill('ABORTED', 'it was aborted');
    };
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => kill('DEADLINE', 'it took longer than allowed'), Math.min(Math.max(timeoutMs, 0), MAX_TIMER_MS));
    if (signal.aborted) aborted();
    else signal.addEventListener('abort', aborted, { once: true });
    const end = await process.ended;
    clearTimeout(timer);
    signal.removeEventListener('abort', aborted);
    await killing;
    if (this.#letGo) return never();
    if (end.leftBehind === true) {
      const what = end.unknown === true ? 'it is not known whether it has ended: processes' : 'it has ended and left processes behind that';
      await this.#options.output.log('warning', source, `${what} still hold its output`);
    }
    return {
      ...(end.exitStatus === undefined ? {} : { exitStatus: end.exitStatus }),
      ...(end.signal === undefined ? {} : { signal: end.signal }),
      ...(end.endedAt === undefined ? {} : { endedAt: end.endedAt }),
      // a process that had ended while its output was still being read was not ended by this
      ...(why === undefined || (end.endedAt !== undefined && end.endedAt < why.at)
        ? {}
        : { error: { code: why.code, message: why.message } }),
      ...(end.unknown === true ? { unknown: true } : {}),
    };
  }

  /** Errors: FORBIDDEN if the policy does not name the user. The daemon's own user (undefined, or by name) is always allowed. */
  assertAllowed(user: string | undefined): void {
    const { node } = this.#options;
    if (user === undefined || this.#users.includes(user) || user === ownUser()) return;
    throw new DtkdError('FORBIDDEN', `nothing may run as the user "${user}" on ${node}`, {
      // setting the list replaces it, so it repeats those that are allowed now
      next: `On ${node}: dtkd policy set users=${[...this.#users, user].join(',')}`,
    });
  }

  async #environmentOf(user: string | undefined): Promise<Readonly<Record<string, string>>> {
    if (user === undefined) return this.#environment;
    const { name, home } = await this.#options.runner.account(user);
    return { ...this.#environment, HOME: home, USER: name, LOGNAME: name };
  }

  async #withSecrets({ env, secrets }: ProcessOrder): Promise<{
    env: Record<string, string>;
    secretFiles: { variable: string; value: Buffer }[];
    masks: Buffer[];
  }> {
    const full: Record<string, string> = { ...env };
    const secretFiles: { variable: string; value: Buffer }[] = [];
    for (const { name, as, variable } of secrets) {
      const value = await this.#options.secrets.get(name);
      if (value === undefined) {
        const { node } = this.#options;
        throw new DtkdError('NOT_FOUND', `there is no secret "${name}" on ${node}`, { next: `On ${node}: dtkd secret set ${name}` });
      }
      for (const mask of masksOf(value)) this.#given.set(mask.toString('latin1'), mask);
      if (as === 'file') secretFiles.push({ variable, value });
      else if (value.includes(0))
        throw new DtkdError('INVALID', `the secret "${name}" has a NUL byte and cannot be a variable`, {
          next: 'Make the script take it as a file.',
        });
      else full[variable] = value.toString('utf8');
    }
    return { env: full, secretFiles, masks: [...this.#given.values()] };
  }
}

async function homeOf(home: string | undefined): Promise<string> {
  if (home === undefined) return '/';
  const [info, mayEnter] = await Promise.all([
    stat(home).catch(() => undefined),
    access(home, constants.X_OK).then(
      () => true,
      () => false,
    ),
  ]);
  return info?.isDirectory() === true && mayEnter ? home : '/';
}

/** The texts to mask: a secret as it is, and without the line ends that editors and shells add or remove. */
function masksOf(value: Buffer): Buffer[] {
  const text = value.toString('latin1').replace(/[\r\n]+$/, '');
  return text.length === value.length ? [value] : [value, Buffer.from(text, 'latin1')];
}

/** A promise that never settles: what runs is left to the next daemon. */
function never<T>(): Promise<T> {
  return new Promise<T>(() => undefined);
}

/** The user that the daemon runs as; undefined if the system has no name for it, as in some containers. */
function ownUser(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}
