/** Signals to all processes of a session: its first group at once, and those that made groups of their own one by one. */
import { readdir } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { lookAt, readStat } from './identity.ts';
import type { ProcessIdentity } from './runner.types.ts';

/** Processes looked at between two turns of the event loop. */
const LOOKS_PER_TURN = 64;

export interface Member {
  pid: number;
  start: string;
}

let scanning: Promise<{ pid: number; start: string; session: number; group: number }[]> | undefined;

/**
 * Living processes of the session or group that began with a process (Linux; elsewhere none are found). None if its number is another process's by now: a
 * session whose number was given away has nobody left.
 */
export async function membersOf(leader: ProcessIdentity): Promise<Member[]> {
  // Many that are killed together share a look at the table, if it begins after they asked.
  scanning ??= nextTurn().then(() => {
    const scan = listProcesses();
    scanning = undefined;
    return scan;
  });
  const all = await scanning;
  const holder = lookAt(leader.pid);
  if (holder !== undefined && holder.start !== leader.start) return [];
  return all.filter(({ session, group }) => session === leader.pid || group === leader.pid);
}

/** Signals a process if it is still that one. */
export function signalMember({ pid, start }: Member, signal: NodeJS.Signals): void {
  if (lookAt(pid)?.start !== start) return;
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by now, or became another user's: then nothing can be done about it.
  }
}

/** Signals the whole group of a process that is certainly alive, or is our own and not reaped yet. */
export function signalGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leader, signal);
  } catch {
    // Nobody is left in it.
  }
}

async function listProcesses(): Promise<{ pid: number; start: string; session: number; group: number }[]> {
  if (process.platform !== 'linux') return [];
  const found: { pid: number; start: string; session: number; group: number }[] = [];
  let looks = 0;
  for (const name of await readdir('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const stat = readStat(pid);
    if (stat !== undefined && stat.state !== 'Z' && stat.state !== 'X')
      found.push({ pid, start: stat.start, session: stat.session, group: stat.group });
    looks += 1;
    if (looks % LOOKS_PER_TURN === 0) await nextTurn();
  }
  return found;
}
