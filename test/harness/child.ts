/**
 * A child process of a test, the demo or a benchmark. Guarantees that it does not outlive the process that started it: it is ended by
 * `kill` at the latest when that process exits, and by the kernel (PR_SET_PDEATHSIG) where that process dies without a word.
 * Its output is kept in a file and can be waited for.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { waitFor } from '../wait.ts';
import { findProgram } from './programs.ts';

const SETPRIV = findProgram('setpriv');
/** Only the end of what a child wrote is kept in memory. */
const MAX_OUTPUT = 4 * 1024 * 1024;

const living = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

export interface ChildOptions {
  command: string;
  args: readonly string[];
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** Where stdout and stderr are kept. */
  logFile?: string;
  /** The network namespace to run in. */
  netns?: string;
  input?: boolean;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export class Child {
  readonly process: ChildProcess;
  readonly exited: Promise<Exit>;
  readonly #what: string;
  #stdout = '';
  #stderr = '';
  #exit: Exit | undefined;

  constructor(options: ChildOptions) {
    this.#what = `${options.command} ${options.args.join(' ')}`.slice(0, 200);
    const line = [
      ...(SETPRIV === undefined ? [] : [SETPRIV, '--pdeathsig', 'KILL']),
      ...(options.netns === undefined ? [] : [findProgram('ip') ?? 'ip', 'netns', 'exec', options.netns]),
      options.command,
      ...options.args,
    ];
    const child = spawn(line[0] ?? '', line.slice(1), {
      ...(options.env === undefined ? {} : { env: options.env }),
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      stdio: [options.input === true ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    });
    this.process = child;
    living.add(child);
    const log = options.logFile === undefined ? undefined : createWriteStream(options.logFile, { flags: 'a' });
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout = (this.#stdout + text).slice(-MAX_OUTPUT);
      log?.write(text);
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-MAX_OUTPUT);
      log?.write(text);
    });
    this.exited = new Promise((resolve) => {
      const done = (exit: Exit): void => {
        this.#exit = exit;
        living.delete(child);
        log?.end();
        resolve(exit);
      };
      child.once('error', () => done({ code: 127, signal: null }));
      child.once('close', (code, signal) => done({ code, signal }));
    });
  }

  get pid(): number {
    return this.process.pid ?? -1;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  get running(): boolean {
    return this.#exit === undefined;
  }

  /** Waits until `condition` holds; fails at once if the process ends before. */
  async until<T>(condition: () => T | Promise<T>, options: { what: string; timeoutMs?: number }): Promise<NonNullable<T>> {
    const outcome = await waitFor<{ value: NonNullable<T> } | 'ended' | undefined>(async () => {
      if (!this.running) return 'ended';
      const value = await condition();
      return value ? { value } : undefined;
    }, options);
    if (outcome === 'ended')
      throw new Error(`${this.#what} ended (${this.#exit?.code ?? this.#exit?.signal}) before ${options.what}:\n${this.tail()}`);
    return outcome.value;
  }

  /** The first match of `pattern` in what it has written so far, waiting for it. */
  async output(pattern: RegExp): Promise<RegExpExecArray> {
    return this.until(() => pattern.exec(this.#stdout) ?? pattern.exec(this.#stderr), {
      what: `${this.#what} to write ${pattern}`,
    });
  }

  /** Sends a signal and waits for the end. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    if (this.#exit !== undefined) return this.#exit;
    this.process.kill(signal);
    try {
      return await waitFor(() => this.#exit, { what: `${this.#what} to end after ${signal}` });
    } catch (error) {
      this.process.kill('SIGKILL');
      await this.exited;
      throw error;
    }
  }

  tail(lines = 30): string {
    return `${this.#stdout}${this.#stderr}`.trimEnd().split('\n').slice(-lines).join('\n');
  }
}

/** Runs a program to its end. */
export async function run(options: ChildOptions & { stdin?: string }): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = new Child({ ...options, input: options.stdin !== undefined });
  if (options.stdin !== undefined) child.process.stdin?.end(options.stdin);
  const exit = await child.exited;
  return { code: exit.code ?? 128, stdout: child.stdout, stderr: child.stderr };
}

/** Resident memory of a process in bytes. */
export async function rssOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(status);
  if (match?.[1] === undefined) throw new Error(`process ${pid} tells no memory`);
  return Number(match[1]) * 1024;
}

/** The parent of a process, or undefined if it is gone. A launcher may have started the daemon that it stands for. */
export async function parentOf(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const match = /^PPid:\s+(\d+)$/m.exec(status);
  return match?.[1] === undefined ? undefined : Number(match[1]);
}
