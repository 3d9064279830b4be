/**
 * Supervises one process, from its start or adoption to its end: notices that it has ended, reads its record and the rest of its output,
 * and kills it with its group and session. Signals a process only while it is certain to be the right one.
 */
import { type FSWatcher, fstat as fstatWithCallback, watch, write as writeWithCallback } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { argumentsOf, createFamily, signalGroup, signalSeen } from './family.ts';
import { isAlive } from './identity.ts';
import type { OutputReader } from './output-reader.ts';
import { closeQuietly, leaveAlone, letGo, RECORD, readRecord, TAKEN } from './run-directories.ts';
import type { ProcessEnd, ProcessIdentity, RunningProcess } from './runner.types.ts';
import { isRecorded, KILL_MARK, parseRecord, shellSaid } from './wrapper.ts';

/** Default time from TERM to KILL. */
const DEFAULT_GRACE_MS = 10_000;
/** Polling interval for a process whose end is reported to us, and for an adopted one, whose end is not. */
const LOOK_TOLD_MS = 5_000;
const LOOK_ADOPTED_MS = 1_000;
/** First pause, growth factor and longest pause while something is about to happen. */
const SOON_MS = 5;
const SOON_GROWTH = 2;
const LONGEST_SOON_MS = 250;
/** How long to wait for the shell to start its process. It takes milliseconds, but more on a very busy machine. */
const START_MS = 2_000;
/** How long to wait for a process that is just ending before it is left alone. */
const LEAVE_MS = 500;
/** Rounds of KILL for whatever still appears in the session. */
const KILL_ROUNDS = 8;
/** Exit status of a process that the shell could not start, as shells have it. */
const NOT_STARTED_STATUS = 126;

const write = promisify(writeWithCallback);
const fstat = promisify(fstatWithCallback);

export interface RunningOptions {
  identity: ProcessIdentity;
  boot: string;
  /** The run directory. */
  run: string;
  /** Descriptor of the record. Taken over. */
  record: number | undefined;
  readers: readonly OutputReader[];
  /** The end will be reported through `gone`. */
  told: boolean;
  /** The shell is a child of this daemon: until its end is reported, nobody else can have its number. */
  own: boolean;
  /** Receives the shell's message if it could not start the process. */
  complain(text: string): void;
  /** Cleans up after the end, before `ended` settles. `left`: readers whose pipes others still hold open. Never rejects. */
  clear(left: readonly OutputReader[]): Promise<void>;
}

/** What the runner uses of it. */
export interface Supervised {
  process: RunningProcess;
  /** Reports the end of the shell. `record`: the content of its record, if known. */
  gone(status: number | null, signal: NodeJS.Signals | null, record?: string): void;
  /** Checks whether something has happened. */
  look(): void;
  /** Leaves the process running, unwatched, for a later daemon to find. A process that has just ended is still followed to its end. */
  abandon(): Promise<void>;
}

export function supervise(options: RunningOptions): Supervised {
  const { identity, boot, run, record, readers, told, own } = options;
  const { promise: ended, resolve } = Promise.withResolvers<ProcessEnd>();
  const { promise: isGone, resolve: resolveGone } = Promise.withResolvers<void>();
  let goneAt: number | undefined;
  let abandoned = false;
  let killing: Promise<void> | undefined;
  let killAt = Number.POSITIVE_INFINITY;
  let shellEnd: { status: number | null; signal: NodeJS.Signals | null } | undefined;
  let toldRecord: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  let soon = SOON_MS;

  const recordText = async (): Promise<string> => (record === undefined ? '' : readRecord(record));

  const lookAfter = (ms: number): void => {
    clearTimeout(timer);
    if (goneAt === undefined && !abandoned) timer = setTimeout(look, ms);
  };
  const lookSoon = (): void => {
    lookAfter(soon);
    soon = Math.min(soon * SOON_GROWTH, LONGEST_SOON_MS);
  };
  const look = (): void => {
    void (async () => {
      if (goneAt !== undefined || abandoned) return;
      if (!told && !isAlive(identity, boot)) return gone();
      const recorded = isRecorded(await recordText());
      // After writing its record, the shell may still wait for somebody to open the pipes.
      if (recorded) await letGo(run);
      if (recorded || readers.every(({ atEnd }) => atEnd)) lookSoon();
      else lookAfter(told ? LOOK_TOLD_MS : LOOK_ADOPTED_MS);
    })();
  };

  const gone = (): void => {
    if (goneAt !== undefined || abandoned) return;
    goneAt = Date.now();
    clearTimeout(timer);
    resolveGone();
    void conclude(goneAt);
  };

  const conclude = async (noticedAt: number): Promise<void> => {
    // Processes that are being killed may still write.
    await killing;
    for (const reader of readers) reader.finish();
    const [text, ...ways] = await Promise.all([toldRecord ?? recordText(), ...readers.map(({ done }) => done)]);
    if (abandoned) return;
    const left = readers.filter((_, index) => ways[index] === 'left');
    const end = await toEnd(text, noticedAt);
    await options.clear(left);
    if (record !== undefined) closeQuietly(record);
    resolve(left.length > 0 ? { ...end, leftBehind: true } : end);
  };

  const toEnd = async (text: string, noticedAt: number): Promise<ProcessEnd> => {
    const recorded = parseRecord(text);
    if (recorded !== undefined) return { ...recorded, endedAt: told ? noticedAt : await recordedAt(noticedAt) };
    // We killed it before it could record anything.
    if (killing !== undefined && shellEnd?.signal) return { signal: shellEnd.signal, endedAt: noticedAt };
    if (shellEnd?.status == null) return { unknown: true };
    // The shell ended by itself without a record: either it could not write one because the disk is full, and exits with the process's
    // status; or it could not start the process, and says why.
    const said = shellSaid(text);
    if (said === '' || shellEnd.status === 0) return { exitStatus: shellEnd.status, endedAt: noticedAt };
    options.complain(said);
    return { exitStatus: NOT_STARTED_STATUS, endedAt: noticedAt };
  };

  const recordedAt = async (otherwise: number): Promise<number> => {
    if (record === undefined) return otherwise;
    return fstat(record).then(
      ({ mtimeMs }) => Math.round(mtimeMs),
      () => otherwise,
    );
  };

  const family = createFamily(identity);

  const signalAll = async (...signals: NodeJS.Signals[]): Promise<number> => {
    for (const signal of signals) if (goneAt === undefined && (own || isAlive(identity, boot))) signalGroup(identity.pid, signal);
    const others = (await family.look()).filter(({ group }) => group !== identity.pid || goneAt !== undefined);
    for (const member of others) for (const signal of signals) signalSeen(member, signal);
    return others.length;
  };

  /** Waits until the shell has started the process: an earlier signal would end with the shell. */
  const untilStarted = async (): Promise<void> => {
    const end = Math.min(killAt, performance.now() + START_MS);
    for (let pause = SOON_MS; performance.now() < end && goneAt === undefined && !abandoned; pause *= SOON_GROWTH) {
      for (const { pid } of await family.look()) {
        if (pid !== identity.pid && !(await argumentsOf(pid)).includes(join(run, TAKEN))) return;
      }
      if (goneAt === undefined) await delay(Math.min(pause, Math.max(end - performance.now(), 0)));
    }
  };

  const killAll = async (): Promise<void> => {
    if (process.platform === 'linux') await untilStarted();
    // A stopped process would not notice TERM.
    await signalAll('SIGTERM', 'SIGCONT');
    let pause = SOON_MS;
    while (performance.now() < killAt && !abandoned) {
      if (goneAt !== undefined && (await family.look()).length === 0) return;
      const rest = delay(Math.min(pause, Math.max(killAt - performance.now(), 0)));
      await (goneAt === undefined ? Promise.race([rest, isGone]) : rest);
      pause = Math.min(pause * SOON_GROWTH, LONGEST_SOON_MS);
    }
    if (abandoned) return;
    // KILL ends the shell, too, so it cannot record the end.
    if (record !== undefined) await write(record, KILL_MARK).catch(() => undefined);
    pause = SOON_MS;
    for (let round = 0; round < KILL_ROUNDS && !abandoned; round += 1) {
      const found = await signalAll('SIGKILL');
      if (goneAt !== undefined && found === 0) return;
      look();
      await delay(pause);
      pause = Math.min(pause * SOON_GROWTH, LONGEST_SOON_MS);
    }
  };

  const watchRecord = (): FSWatcher | undefined => {
    try {
      // If the watcher fails, polling remains.
      return watch(join(run, RECORD), look).on('error', () => undefined);
    } catch {
      return undefined;
    }
  };

  if (told) lookAfter(LOOK_TOLD_MS);
  else {
    const watcher = watchRecord();
    void isGone.then(() => watcher?.close());
    for (const { done } of readers) void done.then(look);
    look();
  }

  return {
    process: {
      identity,
      ended,
      kill(graceMs = DEFAULT_GRACE_MS) {
        if (goneAt === undefined && !abandoned) {
          killAt = Math.min(killAt, performance.now() + graceMs);
          killing ??= killAll();
        }
        return ended;
      },
    },
    gone(status, signal, recorded) {
      shellEnd = { status, signal };
      toldRecord = recorded;
      gone();
    },
    look,
    async abandon() {
      await leaveAlone(run);
      if (goneAt === undefined && isRecorded(await recordText())) await Promise.race([isGone, pauseFor(LEAVE_MS)]);
      if (goneAt !== undefined) {
        // Give up if its output is not taken any more.
        await Promise.race([ended, pauseFor(LEAVE_MS)]);
        return;
      }
      abandoned = true;
      clearTimeout(timer);
      resolveGone();
      for (const reader of readers) reader.stop();
      if (record !== undefined) closeQuietly(record);
      await Promise.race([Promise.all(readers.map(({ closed }) => closed)), pauseFor(LEAVE_MS)]);
    },
  };
}

/** A pause that does not keep the daemon alive. */
function pauseFor(ms: number): Promise<void> {
  return delay(ms, undefined, { ref: false });
}
