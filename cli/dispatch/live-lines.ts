/** The table of targets at the bottom of a terminal while an execution goes on. Pure. */
import { OUTCOMES, type Outcome } from '../../protocol/orders/words.ts';
import { humanDuration } from '../../protocol/text/age.ts';
import { alignColumns } from '../output/columns.ts';
import type { Output } from '../output/output.ts';
import { type ExecutionView, type PartView, partsOf } from './execution.ts';
import { countsOf, durationOf, OPEN_STATES, whyOf } from './summary.ts';

/** The most targets that are shown; the rest are counted. */
const MAX_ROWS = 12;
/** Lines of the terminal that are left for the output above. */
const LEFT_TO_OUTPUT = 6;

const COLOURS: Readonly<Record<Outcome, 'green' | 'red' | 'yellow'>> = {
  succeeded: 'green',
  failed: 'red',
  refused: 'red',
  unreachable: 'yellow',
  skipped: 'yellow',
  unknown: 'yellow',
};

export interface LiveSize {
  columns: number;
  rows: number;
}

/** Running targets first, then those that did not succeed, latest first; the last line counts all of them. Each line fits the terminal. */
export function liveLines(paint: Output['paint'], execution: ExecutionView, now: number, startedAt: number, size: LiveSize): string[] {
  const parts = partsOf(execution);
  const open = parts.filter(({ state }) => state === 'running' || state === 'accepted');
  const bad = parts.filter(({ state, outcome }) => state === 'ended' && outcome !== 'succeeded');
  bad.sort((a, b) => (b.endedAt ?? 0) - (a.endedAt ?? 0));
  const room = Math.max(1, Math.min(MAX_ROWS, size.rows - LEFT_TO_OUTPUT));
  const all = [...open, ...bad];
  const shown = all.slice(0, all.length > room ? room - 1 : room);
  const several = new Set(parts.map(({ what }) => what)).size > 1;
  const rows = alignColumns(
    shown.map((part) => [part.node, ...(several ? [part.what] : []), wordOf(part), tookOf(part, now), reasonOf(part)]),
  );
  const more = all.length - shown.length;
  return [
    ...rows.map((row, index) => coloured(paint, shown[index], cut(` ${row}`, size.columns))),
    ...(more > 0 ? [cut(` … ${more} more`, size.columns)] : []),
    paint('bold', cut(` ${progressLine(parts, now - startedAt)}`, size.columns)),
  ];
}

/** `12 of 50 ended: 11 succeeded, 1 failed; 4 running, 34 waiting; 0:12`. */
export function progressLine(parts: readonly PartView[], elapsedMs: number): string {
  const ended = parts.filter(({ state }) => state === 'ended').length;
  const outcomes = countsOf(parts, OUTCOMES);
  const open = countsOf(parts, OPEN_STATES);
  const head = `${ended} of ${parts.length} ended${outcomes === '' ? '' : `: ${outcomes}`}`;
  return [head, open, clock(elapsedMs)].filter(Boolean).join('; ');
}

function wordOf({ outcome, state }: PartView): string {
  return outcome ?? state;
}

/** Whole seconds for a running target, since the table is redrawn whenever it changes. */
function tookOf(part: PartView, now: number): string {
  return part.state === 'ended' || part.startedAt === undefined ? durationOf(part, now) : humanDuration(now - part.startedAt);
}

function reasonOf(part: PartView): string {
  return part.state === 'ended' ? whyOf(part) : '';
}

function coloured(paint: Output['paint'], part: PartView | undefined, line: string): string {
  return part?.outcome === undefined ? line : paint(COLOURS[part.outcome], line);
}

/** Cuts a line to the width of the terminal: a wrapped line could not be drawn over. */
function cut(line: string, columns: number): string {
  const characters = [...line];
  return characters.length < columns ? line : `${characters.slice(0, Math.max(1, columns - 2)).join('')}…`;
}

function clock(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  const tail = `${String(minutes).padStart(hours > 0 ? 2 : 1, '0')}:${String(seconds % 60).padStart(2, '0')}`;
  return hours > 0 ? `${hours}:${tail}` : tail;
}
