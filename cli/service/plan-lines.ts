/** What a converge, a deletion or an action would do, for people. Pure. */
import type { ServicePlanAnswer } from '../../protocol/requests/service.ts';
import { alignColumns } from '../output/columns.ts';
import { escapeControls } from '../output/escape.ts';
import type { Output } from '../output/output.ts';
import { differenceLines } from './difference-lines.ts';
import { indented } from './task.ts';

/** Differences, then steps; without steps, a line that says so. */
export function servicePlanLines(paint: Output['paint'], plan: ServicePlanAnswer): string[] {
  const { steps, unchanged, differences, notes } = plan;
  const rest = unchanged === 0 ? '' : `; ${unchanged} unchanged`;
  const commands = steps.filter(({ command }) => command !== undefined).length;
  return [
    ...differenceLines(paint, differences),
    ...(differences.length > 0 && steps.length > 0 ? [''] : []),
    ...(steps.length === 0
      ? [
          `There is nothing to run${unchanged === 0 ? '' : `: ${unchanged} ${unchanged === 1 ? 'resource is' : 'resources are'} as wanted`}.`,
        ]
      : [...stepLines(steps), `${commands} ${commands === 1 ? 'command' : 'commands'} to run${rest}.`]),
    ...notes.map(escapeControls),
  ];
}

function stepLines(steps: ServicePlanAnswer['steps']): string[] {
  return alignColumns([
    ['NO', 'STEP', 'NODE', 'COMMAND'],
    ...steps.map(({ number, title, node = '', command = '' }) => [number, indented(number, title), node, command]),
  ]);
}
