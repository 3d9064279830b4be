/**
 * The shell between the daemon and a process: it waits for the process even while no daemon runs, and records how it ended. Pure: the
 * shell's text, its arguments, and how to read its record.
 */
import { constants } from 'node:os';

export const SHELL = '/bin/sh';

/**
 * Descriptors: 0 /dev/null; 1 and 3 the pipes of output and errors, open for reading and writing, so that a process that writes while no
 * daemon reads blocks instead of dying; 2 the record. Arguments: the pipe `taken`, the daemon's number, then the program and its
 * arguments.
 *
 * - The record begins with the shell's number, so that it can be found if the daemon dies before it has noted the number.
 * - Signals to the group reach the process, while the shell stays to record how it ended. The shell traps signals instead of ignoring
 *   them, since the process would inherit ignored ones.
 * - The process replaces a subshell, which leaves the shell's own descriptor 2 in place: there the shell reports the signal that ended
 *   the process ("Terminated"), apart from the output.
 * - Without a daemon, only the shell holds the pipes. It waits until a daemon has opened them and then `taken`, so that the last output
 *   is not lost. There is no daemon if it is dead, or if it has left a file `alone` before stopping. A zombie has no `cwd`; without
 *   /proc, the number alone must do.
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

/** Returns the arguments of the shell for a process. `program` contains a slash, so that it cannot be a builtin of the shell. */
export function wrapperArguments(taken: string, daemon: number, program: string, args: readonly string[]): string[] {
  return ['-c', WRAPPER, 'dtkd', taken, String(daemon), program, ...args];
}

/** The daemon writes this into the record before it kills the whole group, including the shell. */
export const KILL_MARK = 'kill\n';
/**
 * Mode of a record once the launcher is about to start its process: a mark that needs no space on the disk. Until then nobody may execute
 * the record, which nobody does anyway.
 */
export const BEGUN_MODE = 0o700;
/** Maximum bytes read of a record. */
export const MAX_RECORD_FILE_BYTES = 4_096;

/** How a process ended, according to its record. */
export interface RecordedEnd {
  exitStatus?: number;
  signal?: string;
}

/** A shell's status above this is a signal's number plus this base, or an exit status that looks the same. */
const SIGNAL_BASE = 128;
/** Signals that shells do not report. */
const UNSAID_SIGNALS: ReadonlySet<number> = new Set([constants.signals.SIGINT, constants.signals.SIGPIPE]);
const LAST_SIGNAL = 64;
const NUMBER = /^# ([0-9]{1,10})\n/;

/** Returns the number of the shell from its record. */
export function recordedPid(text: string): number | undefined {
  const match = NUMBER.exec(text);
  return match === null ? undefined : Number(match[1]);
}

/**
 * Parses a record: `= STATUS` on a line of its own, and before it what the shell says about a signal. A shell gives 143 both for a
 * process ended by TERM and for one that exits with 143, but comments only on the former. With shells that never comment ("unsaid"), and
 * for INT and PIPE, such a status counts as the signal. Undefined if nothing is recorded yet.
 */
export function parseRecord(text: string): RecordedEnd | undefined {
  // The newline is required: a record cut off on a full disk means nothing.
  const match = /^= ([0-9]{1,3})( unsaid)?\n/m.exec(text);
  if (match === null) return text.startsWith(KILL_MARK) || text.includes(`\n${KILL_MARK}`) ? { signal: 'SIGKILL' } : undefined;
  const exitStatus = Number(match[1]);
  const number = exitStatus - SIGNAL_BASE;
  if (number < 1 || number > LAST_SIGNAL) return { exitStatus };
  const before = text.slice(0, match.index).replace(NUMBER, '').replaceAll(KILL_MARK, '').trim();
  const bySignal = before !== '' || match[2] !== undefined || UNSAID_SIGNALS.has(number);
  return bySignal ? { signal: signalName(number) } : { exitStatus };
}

/** Returns what the shell says in a record without an end: why it could not start the process. */
export function shellSaid(text: string): string {
  const lines = text
    .split('\n')
    .filter((line) => line !== '' && line !== KILL_MARK.trim() && !/^(#( [0-9]*)?|=( [0-9]{0,3})?( [a-z]*)?)$/.test(line));
  return lines.map((line) => `${line}\n`).join('');
}

/** True if the record is complete: the process has ended, and its shell is ending or waits to be released. */
export function isRecorded(text: string): boolean {
  return /^= [0-9]{1,3}( unsaid)?\n/m.test(text);
}

/** Returns a signal's name as Node has it: `SIGTERM` for 15. */
export function signalName(number: number): string {
  for (const [name, value] of Object.entries(constants.signals)) if (value === number) return name;
  return `SIG${number}`;
}
