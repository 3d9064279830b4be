/**
 * A small helper process that starts other processes for the daemon. When a process of hundreds of megabytes forks, the kernel copies its
 * page tables, which takes ten times as long as the rest of a start. The launcher is started after the first process, when there is time,
 * and ends with the daemon or after a long idle time; what it started goes on. Guarantees that a process reported as begun began exactly
 * once, and that every end is reported, even if the launcher ends before. Without one (no Perl, or not Linux) the daemon starts its
 * processes itself.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { getSystemErrorName } from 'node:util';
import type { Logger } from '../../logging/logger.types.ts';
import { isAlive } from './identity.ts';
import { encodeLaunch, encodeRemoval, LAUNCHER_PROGRAM, type LaunchRequest, parseWord } from './launcher-program.ts';
import type { ProcessIdentity } from './runner.types.ts';
import { MAX_RECORD_FILE_BYTES, signalName } from './wrapper.ts';

const PERL = '/usr/bin/perl';
/** The launcher is started this long after a process that had to start without it, so as not to delay that one. */
const SOON_MS = 100;
/** The launcher ends after this long without a start. */
const IDLE_MS = 600_000;
/** After so many failures the launcher is not started again. */
const MAX_FAILURES = 3;
/** Time to answer a request: a start takes milliseconds, but more on a heavily loaded machine. */
const ANSWER_MS = 30_000;
/** Interval at which processes are checked whose launcher has ended. */
const LOOK_MS = 500;
/** Longest line of an answer, which contains one record at most. Longer text without a newline is not an answer. */
const MAX_LINE = 1_024 + 2 * MAX_RECORD_FILE_BYTES;

/** `record`: the content of its record, if that was read. */
export type EndListener = (status: number | null, signal: NodeJS.Signals | null, record?: string) => void;

export type Launch =
  | { is: 'began'; pid: number; start: string; onExit(listener: EndListener): void }
  | { is: 'refused'; code: string }
  /** The launcher ended meanwhile. If its record is not marked, the process did not begin and never will; otherwise it may have begun. */
  | { is: 'unsure' };

export interface Launcher {
  /** Starts a process. Undefined if there is no launcher now, or the request cannot be encoded. `boot`: the identity of this boot. */
  launch(request: LaunchRequest, boot: string): Promise<Launch | undefined>;
  /**
   * Removes files and, as the last path, the directory that they are in with everything else in it. Happens soon, without confirmation.
   * False if there is no launcher.
   */
  remove(paths: readonly string[]): boolean;
  close(): void;
}

interface Child {
  identity: ProcessIdentity;
  ended: Promise<Parameters<EndListener>>;
  end: (...how: Parameters<EndListener>) => void;
}

interface Helper {
  child: ChildProcess;
  input: Writable;
}

export function createLauncher(logger: Logger): Launcher {
  const asked = new Map<number, { boot: string; answer: (launch: Launch) => void }>();
  const children = new Map<number, Child>();
  const orphans = new Set<Child>();
  let numbers = 0;
  let failures = process.platform === 'linux' ? 0 : MAX_FAILURES;
  let onReady = (): void => undefined;
  let helper: Helper | undefined;
  let starting: Helper | undefined;
  let beginning: NodeJS.Timeout | undefined;
  let resting: NodeJS.Timeout | undefined;
  let looking: NodeJS.Timeout | undefined;
  let closed = false;

  const later = (): void => {
    if (closed || failures >= MAX_FAILURES) return;
    if (helper === undefined) {
      beginning ??= setTimeout(() => {
        void begin().finally(() => {
          beginning = undefined;
        });
      }, SOON_MS).unref();
      return;
    }
    clearTimeout(resting);
    resting = setTimeout(rest, IDLE_MS).unref();
  };

  const rest = (): void => {
    if (children.size > 0 || asked.size > 0) later();
    else helper?.input.end();
  };

  const begin = async (): Promise<void> => {
    const there = await access(PERL, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (!there) failures = MAX_FAILURES;
    if (!there || closed || helper !== undefined) return;
    const child = spawn(PERL, ['-e', LAUNCHER_PROGRAM], { detached: true, cwd: '/', env: {}, stdio: ['pipe', 'pipe', 'ignore'] });
    const { stdin: input, stdout } = child;
    if (input === null || stdout === null) return;
    // The launcher must not keep the daemon from ending.
    child.unref();
    for (const stream of [input, stdout]) if (isSocket(stream)) stream.unref();
    input.on('error', () => undefined);
    let text = '';
    stdout.setEncoding('latin1').on('data', (chunk: string) => {
      const lines = (text + chunk).split('\n');
      text = (lines.pop() ?? '').slice(0, MAX_LINE);
      for (const line of lines) hear(line);
    });
    starting = { child, input };
    const { promise: decided, resolve } = Promise.withResolvers<boolean>();
    onReady = () => resolve(true);
    child.once('error', () => resolve(false));
    // After all of its output was read.
    child.once('close', () => {
      resolve(false);
      lose();
    });
    const ready = await decided;
    starting = undefined;
    if (!ready) failures += 1;
    if (closed) input.end();
    later();
  };

  const hear = (line: string): void => {
    const word = parseWord(line);
    if (word === undefined) return;
    if (word.is === 'ready') {
      helper = starting;
      onReady();
      return;
    }
    if (word.is === 'ended') {
      const child = children.get(word.pid);
      children.delete(word.pid);
      const signal = word.signal === null ? null : toSignal(word.signal);
      child?.end(word.status, signal, word.record);
      return;
    }
    const question = asked.get(word.number);
    asked.delete(word.number);
    if (question === undefined) return;
    if (word.is === 'not') {
      question.answer({ is: 'refused', code: errnoName(word.errno) });
      return;
    }
    const { pid, start } = word;
    const { promise: ended, resolve } = Promise.withResolvers<Parameters<EndListener>>();
    children.set(pid, { identity: { boot: question.boot, pid, start }, ended, end: (...how) => resolve(how) });
    question.answer({ is: 'began', pid, start, onExit: (listener) => void ended.then((how) => listener(...how)) });
  };

  /** Called when the launcher has ended: pending requests become `unsure`, and its children are polled from now on. */
  const lose = (): void => {
    helper = undefined;
    if (asked.size > 0 || children.size > 0) {
      failures += 1;
      if (!closed) logger.warn({ children: children.size }, 'The process that starts commands has ended');
    }
    for (const { answer } of asked.values()) answer({ is: 'unsure' });
    asked.clear();
    for (const child of children.values()) orphans.add(child);
    children.clear();
    look();
  };

  const look = (): void => {
    clearTimeout(looking);
    for (const child of orphans) {
      if (isAlive(child.identity, child.identity.boot)) continue;
      orphans.delete(child);
      child.end(null, null);
    }
    if (orphans.size > 0 && !closed) looking = setTimeout(look, LOOK_MS).unref();
  };

  return {
    async launch(request, boot) {
      later();
      if (helper === undefined || !helper.input.writable) return undefined;
      const number = numbers++;
      const bytes = encodeLaunch(number, request);
      if (bytes === undefined) return undefined;
      const { child, input } = helper;
      const { promise, resolve } = Promise.withResolvers<Launch>();
      asked.set(number, { boot, answer: resolve });
      // A launcher that does not answer is killed.
      const limit = setTimeout(() => child.kill('SIGKILL'), ANSWER_MS);
      input.write(bytes);
      return promise.finally(() => clearTimeout(limit));
    },

    remove(paths) {
      const bytes = encodeRemoval(paths);
      if (bytes === undefined || helper === undefined || !helper.input.writable) return false;
      helper.input.write(bytes);
      return true;
    },

    close() {
      closed = true;
      clearTimeout(beginning);
      clearTimeout(resting);
      clearTimeout(looking);
      helper?.input.end();
      starting?.input.end();
    },
  };
}

function isSocket(stream: object): stream is Socket {
  return 'unref' in stream && typeof stream.unref === 'function';
}

function toSignal(number: number): NodeJS.Signals | null {
  const name = signalName(number);
  return isSignal(name) ? name : null;
}

function isSignal(name: string): name is NodeJS.Signals {
  return name.startsWith('SIG');
}

function errnoName(errno: number): string {
  try {
    return getSystemErrorName(-errno);
  } catch {
    return 'unknown';
  }
}
