import { listAt, numberAt, textAt, textsAt } from '../json.ts';
import { alignColumns } from '../output/columns.ts';
import { escapeControls } from '../output/escape.ts';

/** The plan of a dry run: every target with its stage, and why those that would be skipped are. Pure. */
export function planLines(plan: unknown): string[] {
  const targets = listAt(plan, 'targets');
  const staged = targets.some((target) => (numberAt(target, 'stage') ?? 0) > 0);
  const skipped = targets.filter((target) => textAt(target, 'skip') !== undefined).length;
  const rows = targets.map((target) => [
    ...(staged ? [String((numberAt(target, 'stage') ?? 0) + 1)] : []),
    textAt(target, 'node') ?? '',
    textAt(target, 'what') ?? '',
    ...(skipped > 0 ? [textAt(target, 'skip') ?? ''] : []),
  ]);
  const heading = [...(staged ? ['STAGE'] : []), 'NODE', 'WHAT', ...(skipped > 0 ? ['NOT TOLD'] : [])];
  const told = targets.length - skipped;
  return [
    ...(targets.length === 0 ? [] : alignColumns([heading, ...rows])),
    `${told} ${told === 1 ? 'target' : 'targets'} would be told${skipped > 0 ? `, ${skipped} skipped` : ''}. Nothing was started.`,
    ...textsAt(plan, 'notes').map(escapeControls),
    ...unansweredLines(plan),
  ];
}

/** Names the nodes that did not answer, since what they have may be missing. */
export function unansweredLines(answer: unknown): string[] {
  const nodes = textsAt(answer, 'unanswered');
  return nodes.length === 0 ? [] : [`No answer from ${nodes.map(escapeControls).join(', ')}: what they have may be missing here.`];
}
