/** Judges the workflows of an assembly as a converge does: pure. Fields begin with the name of the workflow. */
import { type Component, MAX_WORKFLOW_LEVELS, type ServiceStep, type ServiceWorkflow } from '../assembly.ts';
import { MAX_TASK_STEPS } from '../kinds/task.ts';
import { missingOptions } from '../option-value.ts';
import type { KnownTypes } from './known-types.ts';
import type { ModuleFault } from './manifest.ts';

export interface RunSurroundings {
  components: ReadonlyMap<string, Component>;
  known: KnownTypes;
}

type Workflows = Readonly<Record<string, ServiceWorkflow>>;

export function workflowRunFaults(workflows: Workflows, surroundings: RunSurroundings): ModuleFault[] {
  const faults: ModuleFault[] = [];
  const add = (field: string, message: string) => void faults.push({ field, message });
  const { create } = workflows;
  for (const option of missingOptions(create?.options)) add(`create.options.${option}`, 'has no default, and nobody gives it a value');
  for (const [name, { steps }] of Object.entries(workflows)) judgeSteps(`${name}.steps`, steps, surroundings, add);
  const sizes = new Map<string, Size>();
  for (const name of Object.keys(workflows)) {
    const { steps, levels } = sizeOf(name, workflows, sizes);
    if (steps > MAX_TASK_STEPS) add(name, `it comes to more than ${MAX_TASK_STEPS} steps`);
    if (levels > MAX_WORKFLOW_LEVELS) add(name, `its steps are nested more than ${MAX_WORKFLOW_LEVELS} levels deep`);
  }
  return faults;
}

function judgeSteps(
  field: string,
  steps: readonly ServiceStep[],
  { components, known }: RunSurroundings,
  add: (field: string, message: string) => void,
): void {
  for (const [index, { component: name, command, steps: inner }] of steps.entries()) {
    const at = `${field}[${index}]`;
    if (inner !== undefined) judgeSteps(`${at}.steps`, inner, { components, known }, add);
    if (name === undefined) continue;
    const component = components.get(name);
    // one of several resources is named COMPONENT-N or COMPONENT-NODE: how many there are, the service decides
    const counted = [...components].find(([one, { on }]) => name.startsWith(`${one}-`) && typeof on === 'object' && on.count !== undefined);
    if (component === undefined && counted === undefined)
      add(`${at}.component`, `there is no component ${JSON.stringify(name)}, and no resource of that name`);
    const type = known.get((component ?? counted?.[1])?.type ?? '');
    if (command !== undefined && type?.isWhole === true && !type.commands.has(command))
      add(`${at}.command`, `type ${type.name} has no command ${command}`);
  }
}

interface Size {
  steps: number;
  levels: number;
}

/** One that runs itself is told elsewhere. */
function sizeOf(name: string, workflows: Workflows, sizes: Map<string, Size>): Size {
  const found = sizes.get(name);
  if (found !== undefined) return found;
  sizes.set(name, { steps: 0, levels: 0 });
  const measured = (steps: readonly ServiceStep[]): Size => {
    const inner = steps.map((step) =>
      step.workflow === undefined ? (step.steps === undefined ? EMPTY : measured(step.steps)) : sizeOf(step.workflow, workflows, sizes),
    );
    const sum = inner.reduce((all, one) => all + one.steps + 1, 0);
    return { steps: Math.min(sum, MAX_TASK_STEPS + 1), levels: 1 + Math.max(0, ...inner.map(({ levels }) => levels)) };
  };
  const size = Object.hasOwn(workflows, name) ? measured(workflows[name]?.steps ?? []) : EMPTY;
  sizes.set(name, size);
  return size;
}

const EMPTY: Size = { steps: 0, levels: 0 };
