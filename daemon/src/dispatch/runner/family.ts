/**
 * All that came of a process: its group, its session, and its descendants, also those that made sessions of their own (as long as they
 * have not lost their parents before they were first seen). For signals, which reach none but these.
 */
import { readdir, readFile } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { lookAt, readStat } from './identity.ts';
import type { ProcessIdentity } from './runner.types.ts';

/** Processes looked at between two turns of the event loop. */
const LOOKS_PER_TURN = 64;
/** Numbers up to this mean everybody, or ourselves, where signals are sent. */
const INIT = 1;

/** A living process, as a look at the table found it. */
export interface Seen {
  pid: number;
  start: string;
  parent: number;
  group: number;
  session: number;
}

export interface Family {
  /** Those who live now (Linux; elsewhere none are found). */
  look(): Promise<Seen[]>;
}

export function createFamily(leader: ProcessIdentity): Family {
  /** Whoever was of it once is of it: by number and start. */
  const known = new Map<number, string>();
  return {
    async look() {
      if (leader.pid <= INIT) return [];
      const all = await scanOnce();
      const holder = lookAt(leader.pid);
      // A session whose number was given away has nobody left.
      const taken = holder !== undefined && holder.start !== leader.start;
      const found = membersOf(all, taken ? undefined : leader.pid, known);
      known.clear();
      for (const { pid, start } of found) known.set(pid, start);
      return found;
    },
  };
}

/** Those of the table who are known, or belong to the leader's session or group, and their descendants. Pure. */
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

/** Signals a process if it is still that one. */
export function signalSeen({ pid, start }: Seen, signal: NodeJS.Signals): void {
  if (lookAt(pid)?.start !== start) return;
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by now, or is another user's, which the daemon may not signal.
  }
}

/** Signals the whole group of a process that is certainly alive, or is our own and not reaped yet. */
export function signalGroup(leader: number, signal: NodeJS.Signals): void {
  if (leader <= INIT) return;
  try {
    process.kill(-leader, signal);
  } catch {
    // Nobody is left in it.
  }
}

/** The arguments that a process was started with; none if it cannot be told. */
export async function argumentsOf(pid: number): Promise<string[]> {
  const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return text.split('\0').slice(0, -1);
}

/** The numbers of all processes (Linux; elsewhere none). */
export async function numbersOfAll(): Promise<number[]> {
  if (process.platform !== 'linux') return [];
  return (await readdir('/proc')).map(Number).filter(Number.isInteger);
}

let scanning: Promise<Seen[]> | undefined;

/** Many that are killed together share a look at the table, if it begins after they asked. */
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
