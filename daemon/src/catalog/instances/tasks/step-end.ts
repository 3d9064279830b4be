/** What the end of a command means for its step. Pure. */
import type { CommandEnd } from '../instances.types.ts';
import { MAX_TAIL } from './limits.ts';
import { notCounted, shortened } from './task-object.ts';
import type { StepEnd } from './tasks.types.ts';

/** Output lines that a message repeats. */
const TAIL_LINES = 5;

/** True if the command may still be running. It must not be started again before somebody has looked. */
export function isOpen(end: CommandEnd): boolean {
  return end.outcome === 'unknown';
}

/** True if another attempt may end differently. */
export function isWorthRetrying({ outcome }: CommandEnd): boolean {
  return outcome === 'failed' || outcome === 'unreachable';
}

/** `tail`: the last lines of output; `check`: the command only tells whether the resource is as it should be. */
export function stepEnd(end: CommandEnd, tail: string, { ignoreFailure = false, cancelled = false, check = false } = {}): StepEnd {
  const { outcome, exitStatus, code } = end;
  const facts = { ...(exitStatus === undefined ? {} : { exitStatus }), ...(code === undefined ? {} : { code: code.slice(0, 64) }) };
  if (outcome === 'succeeded') return { state: 'succeeded', ...facts };
  const message = failure(end, tail, check);
  if (cancelled) return { state: 'cancelled', ...facts, message };
  if (ignoreFailure) return { state: 'succeeded', ...facts, message: notCounted(message) };
  return { state: 'failed', ...facts, message };
}

function failure({ outcome, exitStatus, reason }: CommandEnd, tail: string, check: boolean): string {
  const lines = lastLines(tail);
  if (outcome === 'failed' && exitStatus !== undefined && exitStatus !== 0) {
    const ended = `exit status ${exitStatus}`;
    const why = check ? `not as it should be (${ended})` : ended;
    return shortened(lines === '' ? why : `${why}: ${lines}`);
  }
  // that a step failed is its state; what else became of it is told, and what was written before is no part of that
  const why = reason === undefined ? outcome : outcome === 'failed' ? reason : `${outcome}: ${reason}`;
  return shortened(lines === '' ? why : `${why}\n${lines}`);
}

/** The last lines of a text without control characters, whole if they fit into MAX_TAIL, otherwise the end of the last one. */
export function lastLines(text: string): string {
  const lines = text
    .split('\n')
    .map((line) => line.replace(/\p{Cc}/gu, ' ').trimEnd())
    .filter((line) => line !== '')
    .slice(-TAIL_LINES);
  while (lines.length > 1 && lines.join('\n').length > MAX_TAIL) lines.shift();
  const joined = lines.join('\n');
  return joined.length <= MAX_TAIL ? joined : `…${joined.slice(-MAX_TAIL + 1)}`;
}
