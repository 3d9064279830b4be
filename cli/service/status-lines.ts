/** The state of a service: staged, edited, applied, running. Pure. */
import type { ServiceState } from '../../protocol/requests/service.ts';
import { ageOf } from '../../protocol/text/age.ts';
import { alignColumns } from '../output/columns.ts';
import type { Output } from '../output/output.ts';
import { differenceLines, violationLines } from './difference-lines.ts';
import { oneLine } from './task-lines.ts';

type Paint = Output['paint'];

/** Digits of a commit that are shown. */
const SHORT_COMMIT = 8;
const COLOURS = { new: 'yellow', applied: 'green', changed: 'yellow', leaving: 'yellow', changing: 'yellow', broken: 'red' } as const;

export function statusLines(paint: Paint, state: ServiceState, { now, wide }: { now: number; wide: boolean }): string[] {
  const sections = [
    headLines(state, now),
    titled('Edited since the last commit:', differenceLines(paint, state.edited)),
    titled('Not applied yet:', differenceLines(paint, state.pending)),
    titled('Resources:', resourceLines(paint, state, now, wide)),
    titled('Apps:', appLines(state)),
    titled('Violations, which prevent a converge:', violationLines(state.violations)),
  ].filter((lines) => lines.length > 0);
  return sections.flatMap((lines, at) => (at === 0 ? lines : ['', ...lines]));
}

function headLines(
  { name, phase, module, version, assembly, target, directory, head, applied, task, node, edited, resources }: ServiceState,
  now: number,
): string[] {
  const commit = (id: string | undefined): string => (id === undefined ? 'none' : id.slice(0, SHORT_COMMIT));
  return alignColumns([
    ['Service:', `${name} of ${node}`],
    ['Phase:', phase],
    ...driftLines(resources, now),
    ['Staged from:', `${module} ${version}, assembly ${assembly}`],
    ...(target === undefined ? [] : [['Target:', target]]),
    ['Directory:', directory],
    ['Last commit:', `${commit(head)}${edited.length === 0 ? '' : ', and edited since'}`],
    [
      'Applied:',
      applied === undefined
        ? phase === 'Deleted'
          ? 'no longer: it was taken down'
          : 'never'
        : applied === head
          ? 'the last commit'
          : commit(applied),
    ],
    ...(task === undefined ? [] : [['Last task:', `${task.name} (${task.title}): ${task.state}${messageOf(task.message)}`]]),
  ]);
}

/** Names listed in one line. */
const LISTED = 8;

function driftLines(resources: ServiceState['resources'], now: number): string[][] {
  const drifted = resources.flatMap(({ name, check }) => (check?.ok === false ? [{ name, at: check.at }] : []));
  const latest = drifted
    .map(({ at }) => at)
    .sort()
    .at(-1);
  if (latest === undefined) return [];
  const more = drifted.length > LISTED ? ` and ${drifted.length - LISTED} more` : '';
  const names = drifted
    .slice(0, LISTED)
    .map(({ name }) => name)
    .join(', ');
  return [['Drift:', `found ${ageOf(latest, now)} ago: ${names}${more}`]];
}

function messageOf(message: string | undefined): string {
  return message === undefined ? '' : `, ${oneLine(message)}`;
}

function resourceLines(paint: Paint, { resources }: ServiceState, now: number, wide: boolean): string[] {
  if (resources.length === 0) return [];
  const checked = resources.some(({ check }) => check !== undefined);
  const rows = resources.map(({ name, component, type, node, state, at, check }) => [
    name,
    ...(wide ? [component] : []),
    type,
    node,
    state,
    at === undefined ? '' : ageOf(at, now),
    ...(checked
      ? [
          check === undefined
            ? ''
            : `${check.ok ? 'as it should be' : `drifted: ${oneLine(check.message ?? '')}`}, ${ageOf(check.at, now)} ago`,
        ]
      : []),
  ]);
  const heading = ['NAME', ...(wide ? ['COMPONENT'] : []), 'TYPE', 'NODE', 'STATE', 'SINCE', ...(checked ? ['CHECKED'] : [])];
  const [first = '', ...lines] = alignColumns([heading, ...rows]);
  return [first, ...lines.map((line, at) => paint(COLOURS[resources[at]?.state ?? 'applied'], line))];
}

function appLines({ apps }: ServiceState): string[] {
  return alignColumns(apps.map(({ name, node, uri }) => [name, node, uri ?? '(no address here yet)']));
}

function titled(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [title, ...lines.map((line) => `  ${line}`)];
}
