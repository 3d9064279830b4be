/** Findings for people: the worst first, each with what to do about it. Pure but for colours. */
import { CHECK_STATES, type CheckState, type Finding } from '../../protocol/requests/checkup.ts';
import { alignColumns } from '../output/columns.ts';
import { escapeControls } from '../output/escape.ts';
import type { Output } from '../output/output.ts';

const MARKS = { ok: '✓', warning: '!', problem: '✗' } as const;
const COLOURS = { ok: 'green', warning: 'yellow', problem: 'red' } as const;

/** The findings that are as bad as `only`, or worse. */
export function shown(findings: readonly Finding[], only: CheckState | undefined): Finding[] {
  const least = CHECK_STATES.indexOf(only ?? 'ok');
  return findings.filter(({ state }) => CHECK_STATES.indexOf(state) >= least);
}

export function reportLines(
  out: Pick<Output, 'paint'>,
  findings: readonly Finding[],
  { wide, all }: { wide: boolean; all: number },
): string[] {
  if (wide) {
    const rows = findings.map(({ state, check, finding, next }) => [state, check, finding, next ?? '']);
    return alignColumns([['STATE', 'CHECK', 'FINDING', 'WHAT TO DO'], ...rows]);
  }
  const aligned = alignColumns(findings.map(({ check, finding }) => [check, finding]));
  const lines = findings.flatMap(({ state, next }, index) => [
    `${out.paint(COLOURS[state], MARKS[state])} ${aligned[index] ?? ''}`,
    ...(next === undefined ? [] : [`  ${out.paint('dim', `→ ${escapeControls(next)}`)}`]),
  ]);
  return [...lines, ...(lines.length === 0 ? [] : ['']), summary(findings, all)];
}

function summary(findings: readonly Finding[], all: number): string {
  const count = (state: CheckState): number => findings.filter((one) => one.state === state).length;
  const [problems, warnings] = [count('problem'), count('warning')];
  const parts = [...(problems === 0 ? [] : [counted(problems, 'problem')]), ...(warnings === 0 ? [] : [counted(warnings, 'warning')])];
  return `${counted(all, 'check')}: ${parts.length === 0 ? 'nothing to do' : parts.join(', ')}.`;
}

function counted(count: number, what: string): string {
  return count === 1 ? `1 ${what}` : `${count} ${what}s`;
}
