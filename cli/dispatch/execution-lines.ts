/** An execution as `executions show` and `executions ls` print it. Pure. */
import { toTimestamp } from '../../protocol/objects/objects.ts';
import { humanDuration } from '../../protocol/text/age.ts';
import { textAt } from '../json.ts';
import { alignColumns } from '../output/columns.ts';
import { formatSize } from '../output/size.ts';
import { type ExecutionView, type PartView, partsOf, shortId } from './execution.ts';
import { countsLine, durationOf, tenths, whyOf } from './summary.ts';

export function executionLines(execution: ExecutionView, now: number): string[] {
  const { id, user, starter, phase, startedAt, message, request } = execution;
  const parts = partsOf(execution);
  const staged = new Set(parts.map(({ stage }) => stage)).size > 1;
  const retryOf = textAt(request, 'retryOf');
  const facts = [
    ['Id:', id],
    ['What:', whatOf(execution)],
    ['Started:', `${startedAt === undefined ? '' : `${toTimestamp(startedAt)}, `}by ${user} on ${starter}`],
    ['Phase:', [phase, lastedText(execution, now)].filter(Boolean).join(', ')],
    ...(retryOf === undefined ? [] : [['Retry of:', retryOf]]),
    ...(message === undefined ? [] : [['Message:', message]]),
    ['Outcome:', countsLine(execution)],
  ];
  // if all parts do the same, that is stated above
  const several = new Set(parts.map(({ what }) => what)).size > 1;
  const rows = parts.map((part) => [
    ...(staged ? [String(part.stage + 1)] : []),
    part.node,
    ...(several ? [part.what] : []),
    part.outcome ?? part.state,
    durationOf(part, now),
    outputOf(part),
    whyOf(part),
  ]);
  return [
    ...alignColumns(facts),
    '',
    ...alignColumns([[...(staged ? ['STAGE'] : []), 'NODE', ...(several ? ['WHAT'] : []), 'OUTCOME', 'TOOK', 'OUTPUT', 'WHY'], ...rows]),
  ];
}

/** The size of a part's output. A target reports where its spool ends, but not how many of those bytes the command wrote. */
function outputOf({ offset, printed, dropped }: PartView): string {
  const kept = printed === undefined && offset > 0 ? `up to ${formatSize(offset)}` : formatSize(printed ?? 0);
  return dropped > 0 ? `${kept}, ${formatSize(dropped)} cut` : kept;
}

/**
 * How long an execution has lasted. A finished one is measured from its first part to its last, since only the starter has times for the
 * whole, and only in seconds.
 */
function lastedText(execution: ExecutionView, now: number): string {
  const { phase, startedAt, finishedAt } = execution;
  if (phase !== 'Finished') return startedAt === undefined ? '' : `for ${humanDuration(now - startedAt)}`;
  const parts = partsOf(execution);
  const begun = parts.flatMap((part) => part.startedAt ?? []);
  const ends = parts.flatMap(({ endedAt }) => endedAt ?? []);
  const from = begun.length > 0 ? Math.min(...begun) : startedAt;
  const to = ends.length > 0 ? Math.max(...ends) : finishedAt;
  return from === undefined || to === undefined ? '' : `took ${tenths(to - from)}`;
}

/**
 * Orders executions that started within the same second. A refused part has only an end. Executions without any time sort as the latest.
 */
function firstTime(execution: ExecutionView): number {
  return Math.min(Number.MAX_SAFE_INTEGER, ...partsOf(execution).flatMap(({ startedAt, endedAt }) => startedAt ?? endedAt ?? []));
}

/** One row for each execution, the latest first. `wide`: with the whole id, and all that runs. */
export function executionRows(executions: readonly ExecutionView[], now: number, wide: boolean): string[][] {
  const sorted = [...executions].sort((a, b) => (b.startedAt ?? 0) - (a.startedAt ?? 0) || firstTime(b) - firstTime(a));
  return sorted.map((execution) => [
    wide ? execution.id : shortId(execution.id),
    execution.startedAt === undefined ? '' : humanDuration(now - execution.startedAt),
    wide ? whatOf(execution) : cut(whatOf(execution)),
    execution.user,
    execution.starter,
    execution.phase,
    countsLine(execution).replace(/^\d+ targets?: /, ''),
  ]);
}

/** One view for each id. The starter's view counts for more than a target's view of its own part. `node`: where each object is. */
export function mergedById(objects: readonly { node: string; execution: ExecutionView }[]): ExecutionView[] {
  const byId = new Map<string, { node: string; execution: ExecutionView }>();
  for (const one of objects) {
    const known = byId.get(one.execution.id);
    const told = known !== undefined && known.execution.parts.size >= one.execution.parts.size && known.node === known.execution.starter;
    if (!told && (known === undefined || one.node === one.execution.starter || one.execution.parts.size > known.execution.parts.size)) {
      byId.set(one.execution.id, one);
    }
  }
  return [...byId.values()].map(({ execution }) => execution);
}

/** Characters of the command that a list shows: one that passes a script as an argument may have a thousand. */
const MAX_WHAT = 60;

function cut(text: string): string {
  const characters = [...text];
  return characters.length <= MAX_WHAT ? text : `${characters.slice(0, MAX_WHAT - 1).join('')}…`;
}

function whatOf(execution: ExecutionView): string {
  const whats = [...new Set(partsOf(execution).map(({ what }) => what))];
  const [first = '', ...more] = whats;
  return more.length === 0 ? first : `${first} and ${more.length} more`;
}
