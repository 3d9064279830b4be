/**
 * The shell that stands between the daemon and a process: it waits for it when the daemon cannot, and records how it ended. Pure: its
 * text, its arguments, and the reading of its record.
 */
import { constants } from 'node:os';

export const SHELL = '/bin/sh';

/**
 * Descriptors: 0 /dev/null, 1 and 3 the pipes of output and errors, open for reading and writing, so that a process that writes while no
 * daemon reads waits instead of dying; 2 the record. Arguments: the pipe `taken`, the daemon's number, then the program and its arguments.
 *
 * - The record begins with the shell's number, so that a daemon that dies before it has noted the number finds it.
 * - Signals to the group reach the process; the shell stays, to record what came of it. (Caught, not ignored: what is ignored would be so
 *   for the process, too.)
 * - A subshell that becomes the process leaves our own descriptor 2 in place: the shell says there which signal ended it ("Terminated"),
 *   apart from its output.
 * - With no daemon, nobody holds the pipes but the shell: it waits until one has opened them (it then opens `taken`), so that the last
 *   output is not lost. There is none if it is dead, or about to be: then it has left a file `alone`. A zombie has no `cwd`; where there
 *   is no /proc the number has to do.
 */
const WRAPPER = `trap : HUP INT QUIT ALRM TERM USR1 USR2
taken=$1 daemon=$2; shift 2
echo "# $$" >&2
(exec "$@" 2>&3 3>&-)
s=$?
echo "= $s\${BASH_VERSION:+ unsaid}" >&2
if [ -e "\${taken%/*}/alone" ]; then :
elif [ -d /proc/self ]; then [ -e "/proc/$daemon/cwd" ] && exit $s
else kill -0 "$daemon" 2>/dev/null && exit $s
fi
true <"$taken"
exit $s`;

/** Arguments of the shell for a process. `program` has a slash, so that it cannot be a command of the shell's own. */
export function wrapperArguments(taken: string, daemon: number, program: string, args: readonly string[]): string[] {
  return ['-c', WRAPPER, 'dtkd', taken, String(daemon), program, ...args];
}

/** Written into the record by the daemon before it kills the whole group, the shell included. */
export const KILL_MARK = 'kill\n';
/** The mode of a record once the launcher is about to start its process: that can be told on a full disk, too. Before, none may execute it, which nobody does. */
export const BEGUN_MODE = 0o700;
/** Bytes of a record that are looked at. */
export const MAX_RECORD_FILE_BYTES = 4_096;

/** How a process ended, as its record tells; undefined: nothing is recorded yet. */
export interface RecordedEnd {
  exitStatus?: number;
  signal?: string;
}

/** A status of a shell beyond this is a signal's number added to it, or an exit status that looks so. */
const SIGNAL_BASE = 128;
/** SIGINT and SIGPIPE: shells say nothing of them. */
const UNSAID_SIGNALS: ReadonlySet<number> = new Set([constants.signals.SIGINT, constants.signals.SIGPIPE]);
const LAST_SIGNAL = 64;
const NUMBER = /^# ([0-9]{1,10})\n/;

/** The number of the shell, from its record. */
export function recordedPid(text: string): number | undefined {
  const match = NUMBER.exec(text);
  return match === null ? undefined : Number(match[1]);
}

/**
 * Reads a record: `= STATUS` on a line of its own, before it what the shell says of a signal. A shell gives 143 for a process that was
 * ended by TERM and for one that exits with 143; only the former is said. Of shells that say nothing ("unsaid"), and of INT and PIPE,
 * such a status is taken for the signal.
 */
export function parseRecord(text: string): RecordedEnd | undefined {
  // With the end of its line: a record that was cut off on a full disk says nothing.
  const match = /^= ([0-9]{1,3})( unsaid)?\n/m.exec(text);
  if (match === null) return text.startsWith(KILL_MARK) || text.includes(`\n${KILL_MARK}`) ? { signal: 'SIGKILL' } : undefined;
  const exitStatus = Number(match[1]);
  const number = exitStatus - SIGNAL_BASE;
  if (number < 1 || number > LAST_SIGNAL) return { exitStatus };
  const before = text.slice(0, match.index).replace(NUMBER, '').replaceAll(KILL_MARK, '').trim();
  const bySignal = before !== '' || match[2] !== undefined || UNSAID_SIGNALS.has(number);
  return bySignal ? { signal: signalName(number) } : { exitStatus };
}

/** What the shell says in a record that has no end: why it could not start the process. */
export function shellSaid(text: string): string {
  const lines = text
    .split('\n')
    .filter((line) => line !== '' && line !== KILL_MARK.trim() && !/^(#( [0-9]*)?|=( [0-9]{0,3})?( [a-z]*)?)$/.test(line));
  return lines.map((line) => `${line}\n`).join('');
}

/** True if the record is whole: the process has ended, and its shell is going or waits to be let go. */
export function isRecorded(text: string): boolean {
  return /^= [0-9]{1,3}( unsaid)?\n/m.test(text);
}

/** `SIGTERM` of 15, as Node names it. */
export function signalName(number: number): string {
  for (const [name, value] of Object.entries(constants.signals)) if (value === number) return name;
  return `SIG${number}`;
}
