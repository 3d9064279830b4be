/**
 * Finds everything that descends from a process: its group, its session, and its descendants, including those with sessions of their own,
 * unless they lost their parents before they were first seen. Used for signals, which must reach nothing else.
 */
import { readdir, readFile } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { lookAt, readStat } from './identity.ts';
import type { ProcessIdentity } from './runner.types.ts';

/** Processes read per turn of the event loop. */
const LOOKS_PER_TURN = 64;
/** kill() takes a number up to this to mean everybody, our own group, or init. */
const INIT = 1;

/** A living process, as found in the process table. */
export interface Seen {
  pid: number;
  start: string;
  parent: number;
  group: number;
  session: number;
}

export interface Family {
  /** Returns the family members that are alive now. Linux only; elsewhere it finds none. */
  look(): Promise<Seen[]>;
}

export function createFamily(leader: ProcessIdentity): Family {
  /** Once a member, always a member: known processes by number and start time. */
  const known = new Map<number, string>();
  return {
    async look() {
      if (leader.pid <= INIT) return [];
      const all = await scanOnce();
      const holder = lookAt(leader.pid);
      // If the leader's number was reused, its session has nobody left.
      const taken = holder !== undefined && holder.start !== leader.start;
      const found = membersOf(all, taken ? undefined : leader.pid, known);
      known.clear();
      for (const { pid, start } of found) known.set(pid, start);
      return found;
    },
  };
}

/** Returns the processes of the table that are known or belong to the leader's session or group, and all their descendants. Pure. */
export function membersOf(table: readonly Seen[], leader: number | undefined, known: ReadonlyMap<number, string>): Seen[] {
  const children = new Map<number, Seen[]>();
  for (const one of table) {
    const siblings = children.get(one.parent);
    if (siblings === undefined) children.set(one.parent, [one]);
    else siblings.push(one);
  }
  const found = new Map<number, Seen>();
  const add = (one: Seen): void => {
    if (found.has(one.pid)) return;
    found.set(one.pid, one);
    for (const child of children.get(one.pid) ?? []) add(child);
  };
  for (const one of table) {
    const belongs = leader !== undefined && (one.pid === leader || one.session === leader || one.group === leader);
    if (belongs || known.get(one.pid) === one.start) add(one);
  }
  return [...found.values()];
}

/** Signals a process if its number still refers to it. */
export function signalSeen({ pid, start }: Seen, signal: NodeJS.Signals): void {
  if (lookAt(pid)?.start !== start) return;
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended, or belongs to another user and the daemon may not signal it.
  }
}

/** Signals the process group of `leader`, which must be alive, or our own child and not reaped yet. */
export function signalGroup(leader: number, signal: NodeJS.Signals): void {
  if (leader <= INIT) return;
  try {
    process.kill(-leader, signal);
  } catch {
    // Nobody is left in it.
  }
}

/** Returns the arguments that a process was started with; none if they cannot be read. */
export async function argumentsOf(pid: number): Promise<string[]> {
  const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return text.split('\0').slice(0, -1);
}

/** Returns the numbers of all processes. Linux only; elsewhere none. */
export async function numbersOfAll(): Promise<number[]> {
  if (process.platform !== 'linux') return [];
  return (await readdir('/proc')).map(Number).filter(Number.isInteger);
}

let scanning: Promise<Seen[]> | undefined;

/** Callers share one scan of the process table, as long as it begins after they asked. */
function scanOnce(): Promise<Seen[]> {
  scanning ??= nextTurn().then(() => {
    scanning = undefined;
    return scan();
  });
  return scanning;
}

async function scan(): Promise<Seen[]> {
  const found: Seen[] = [];
  let looks = 0;
  for (const pid of await numbersOfAll()) {
    const stat = readStat(pid);
    if (stat !== undefined && stat.state !== 'Z' && stat.state !== 'X') {
      found.push({ pid, start: stat.start, parent: stat.parent, group: stat.group, session: stat.session });
    }
    looks += 1;
    if (looks % LOOKS_PER_TURN === 0) await nextTurn();
  }
  return found;
}
