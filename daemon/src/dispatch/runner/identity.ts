/**
 * Identifies a process by its number, its start time and the boot that it belongs to. Reads the kernel's tables synchronously: they are
 * in memory, and an answer one turn of the event loop later describes another moment.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { ProcessIdentity } from './runner.types.ts';

/** What a look at a process number shows. */
export interface ProcessLook {
  start: string;
  /** It has ended but was not reaped yet. */
  zombie: boolean;
}

/** The start time of a process that ended before it could be looked at. No living process has it. */
export const GONE = '-';

let boot: Promise<string> | undefined;

/** Returns the identity of this boot. */
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

/** Returns the process that has this number now; undefined if there is none. */
export function lookAt(pid: number): ProcessLook | undefined {
  if (process.platform === 'linux') {
    const stat = readStat(pid);
    return stat === undefined ? undefined : { start: stat.start, zombie: stat.state === 'Z' || stat.state === 'X' };
  }
  const line = runOrUndefined('ps', ['-o', 'stat=,lstart=', '-p', String(pid)]);
  const match = /^(\S+)\s+(.+)$/.exec(line ?? '');
  return match === null ? undefined : { start: match[2] ?? '', zombie: match[1]?.startsWith('Z') === true };
}

/** True while that very process lives. Another process that reuses its number does not count. */
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

/** Parses /proc/PID/stat. The program's name, in parentheses, may contain anything. */
export function parseStat(text: string): Stat | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, parent, group, session] = fields;
  const start = fields[19];
  if (state === undefined || parent === undefined || group === undefined || session === undefined || start === undefined) return undefined;
  return { state, parent: Number(parent), group: Number(group), session: Number(session), start };
}

/** Reads /proc/PID/stat. Undefined if there is no such process, or no /proc. */
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
