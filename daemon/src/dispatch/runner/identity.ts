/**
 * Which process it is: its number, when it started, and the boot that it belongs to. The kernel's tables are read at once: they are
 * memory, and an answer that comes a turn later is of another moment.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { ProcessIdentity } from './runner.types.ts';

/** What is known of a process by its number. */
export interface ProcessLook {
  start: string;
  /** It has ended, and nobody has asked yet how. */
  zombie: boolean;
}

/** Of a process that had gone before it could be looked at: never that of a living one. */
export const GONE = '-';

let boot: Promise<string> | undefined;

/** The identity of this boot. */
export function bootId(): Promise<string> {
  boot ??= readBootId();
  return boot;
}

async function readBootId(): Promise<string> {
  try {
    return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  } catch {
    return runOrUndefined('sysctl', ['-n', 'kern.bootsessionuuid']) ?? 'unknown';
  }
}

/** The process with that number now; undefined: there is none. */
export function lookAt(pid: number): ProcessLook | undefined {
  if (process.platform === 'linux') {
    const stat = readStat(pid);
    return stat === undefined ? undefined : { start: stat.start, zombie: stat.state === 'Z' || stat.state === 'X' };
  }
  const line = runOrUndefined('ps', ['-o', 'stat=,lstart=', '-p', String(pid)]);
  const match = /^(\S+)\s+(.+)$/.exec(line ?? '');
  return match === null ? undefined : { start: match[2] ?? '', zombie: match[1]?.startsWith('Z') === true };
}

/** True while that very process lives. Another one with its number is not it. */
export function isAlive(identity: ProcessIdentity, currentBoot: string): boolean {
  if (identity.boot !== currentBoot || identity.start === GONE) return false;
  const look = lookAt(identity.pid);
  return look !== undefined && !look.zombie && look.start === identity.start;
}

export interface Stat {
  state: string;
  parent: number;
  group: number;
  session: number;
  start: string;
}

/** Parses /proc/PID/stat. The name of the program, in brackets, may contain anything. */
export function parseStat(text: string): Stat | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, parent, group, session] = fields;
  const start = fields[19];
  if (state === undefined || parent === undefined || group === undefined || session === undefined || start === undefined) return undefined;
  return { state, parent: Number(parent), group: Number(group), session: Number(session), start };
}

/** /proc/PID/stat of a process; undefined if there is none, or no /proc. */
export function readStat(pid: number): Stat | undefined {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return undefined;
  }
}

function runOrUndefined(program: string, args: string[]): string | undefined {
  try {
    const out = execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    return out === '' ? undefined : out;
  } catch {
    return undefined;
  }
}
