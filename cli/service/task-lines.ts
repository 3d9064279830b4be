/** The tree of a task: as a table, as a live display at the bottom of a terminal, and as lines of a log. Pure. */
import { TASK_STATES, type TaskState } from '../../protocol/kinds/paths.ts';
import type { TaskStep } from '../../protocol/kinds/task.ts';
import { humanDuration } from '../../protocol/text/age.ts';
import type { LiveSize } from '../dispatch/live-lines.ts';
import { alignColumns } from '../output/columns.ts';
import { escapeControls } from '../output/escape.ts';
import type { Output } from '../output/output.ts';
import { hasEnded, indented, leavesOf, stepsInOrder, type TaskView } from './task.ts';

const COLOURS: Readonly<Record<TaskState, Parameters<Output['paint']>[0] | undefined>> = {
  created: 'dim',
  executing: undefined,
  succeeded: 'green',
  failed: 'red',
  cancelled: 'yellow',
  skipped: 'yellow',
};

/** The whole tree, with the start and end of each step. */
export function treeLines(paint: Output['paint'], task: TaskView, now: number): string[] {
  const steps = stepsInOrder(task);
  if (steps.length === 0) return [];
  const rows = steps.map((step) => [
    step.number,
    indented(step.number, step.title),
    step.state,
    step.node ?? '',
    tookOf(step, now),
    timeOf(step.startedAt),
    timeOf(step.finishedAt),
    whyOf(step),
  ]);
  return coloured(paint, steps, alignColumns([['NO', 'STEP', 'STATE', 'NODE', 'TOOK', 'START', 'END', 'WHY'], ...rows]), 1);
}

/** Lines of the terminal that are left for the output above. */
const LEFT_TO_OUTPUT = 6;
const MAX_ROWS = 24;

/** The tree, cut to the available room: running and failed steps take precedence. The last line counts all steps. */
export function liveTreeLines(paint: Output['paint'], task: TaskView, now: number, startedAt: number, size: LiveSize): string[] {
  const all = stepsInOrder(task);
  if (all.length === 0) return [];
  const room = Math.max(1, Math.min(MAX_ROWS, size.rows - LEFT_TO_OUTPUT));
  const shown = all.length <= room ? all : mostTelling(all, room - 1);
  const rows = shown.map((step) => [
    step.number,
    indented(step.number, step.title),
    step.node ?? '',
    step.state,
    tookOf(step, now),
    whyOf(step),
  ]);
  const lines = alignColumns(rows).map((row) => cut(` ${row}`, size.columns));
  return [
    ...coloured(paint, shown, lines, 0),
    ...(shown.length < all.length ? [cut(` … ${all.length - shown.length} more`, size.columns)] : []),
    paint('bold', cut(` ${countsLine(task)}; ${humanDuration(now - startedAt)}`, size.columns)),
  ];
}

/**
 * The most important steps, in the order of the tree. Preferred are executing, then failed, then created ones, then those that ended last.
 */
function mostTelling(all: readonly TaskStep[], room: number): TaskStep[] {
  const ranks: readonly TaskState[] = ['executing', 'failed', 'created', 'cancelled', 'skipped', 'succeeded'];
  const ranked = [...all].sort(
    (a, b) => ranks.indexOf(a.state) - ranks.indexOf(b.state) || Date.parse(b.finishedAt ?? '') - Date.parse(a.finishedAt ?? '') || 0,
  );
  const chosen = new Set(ranked.slice(0, room));
  return all.filter((step) => chosen.has(step));
}

/** `5 of 12 steps ended: 4 succeeded, 1 failed`. */
export function countsLine(task: TaskView): string {
  const leaves = leavesOf(task);
  const ended = leaves.filter(({ state }) => hasEnded(state));
  const counts = TASK_STATES.filter(hasEnded).flatMap((state) => {
    const count = ended.filter((step) => step.state === state).length;
    return count === 0 ? [] : [`${count} ${state}`];
  });
  const head = `${ended.length} of ${leaves.length} ${leaves.length === 1 ? 'step' : 'steps'} ended`;
  return counts.length === 0 ? head : `${head}: ${counts.join(', ')}`;
}

/** `1.2 create web-1 on node2: failed, exit status 3 (0.4s)`. */
export function stepLine(step: TaskStep, now: number): string {
  const where = step.node === undefined ? '' : ` on ${step.node}`;
  const why = whyOf(step);
  const took = hasEnded(step.state) ? tookOf(step, now) : '';
  const tail = `${step.state}${why === '' ? '' : `, ${why}`}${took === '' ? '' : ` (${took})`}`;
  return escapeControls(`${step.number} ${step.title}${where}: ${tail}`);
}

/** Why a step did not succeed, on one line. If the message contains the last lines of output, only the last one is used. */
export function whyOf({ exitStatus, code, message, state }: TaskStep): string {
  if (!hasEnded(state) || (state === 'succeeded' && message === undefined)) return '';
  const [first = '', ...more] = message?.trim().split('\n') ?? [];
  const ended = exitStatus === undefined || exitStatus === 0 ? '' : `exit status ${exitStatus}`;
  const head = first.includes(ended) ? first : `${ended}: ${first}`;
  if (head === '') return code ?? '';
  // only steps that ended with a status have output in their message
  const last = ended === '' ? undefined : more.at(-1);
  return last === undefined ? head.replace(/: $/, '') : `${head.split(': ')[0]}: ${last}`;
}

/** Reduces a message to one line. If it ends with lines of output, the last of these says most. */
export function oneLine(message: string): string {
  const [first = '', ...more] = message.trim().split('\n');
  const last = more.at(-1);
  const ended = /^.*?\bexit status \d+\)?/.exec(first)?.[0];
  return last === undefined || ended === undefined ? first : `${ended}: ${last}`;
}

export function tookOf({ startedAt, finishedAt, state }: Pick<TaskStep, 'startedAt' | 'finishedAt' | 'state'>, now: number): string {
  const from = Date.parse(startedAt ?? '');
  const to = hasEnded(state) ? Date.parse(finishedAt ?? '') : now;
  if (Number.isNaN(from) || Number.isNaN(to)) return '';
  const ms = Math.max(0, to - from);
  // tenths only if the timestamp has fractions of a second
  return hasEnded(state) && ms < 10_000 && (finishedAt ?? '').includes('.') ? `${(ms / 1_000).toFixed(1)}s` : humanDuration(ms);
}

/** The local time of day. */
function timeOf(text: string | undefined): string {
  const time = new Date(text ?? '');
  if (Number.isNaN(time.getTime())) return '';
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
}

function coloured(paint: Output['paint'], steps: readonly TaskStep[], lines: readonly string[], headings: number): string[] {
  return lines.map((line, at) => {
    const step = steps[at - headings];
    const colour = step === undefined ? undefined : COLOURS[step.state];
    return colour === undefined ? line : paint(colour, line);
  });
}

/** Cuts a line to the width of the terminal: a wrapped line could not be drawn over. */
function cut(line: string, columns: number): string {
  const characters = [...line];
  return characters.length < columns ? line : `${characters.slice(0, Math.max(1, columns - 2)).join('')}…`;
}
