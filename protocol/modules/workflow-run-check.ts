/** Checks the workflows of an assembly as a converge would. Pure. Fields begin with the name of the workflow. */
import { type Component, MAX_WORKFLOW_LEVELS, type ServiceStep, type ServiceWorkflow } from '../definitions/assembly.ts';
import { missingOptions } from '../definitions/option-value.ts';
import { MAX_TASK_STEPS } from '../kinds/task.ts';
import type { KnownTypes } from './known-types.ts';
import type { ModuleFault } from './manifest.ts';
import { workflowSizes } from './workflow-size.ts';

export interface RunSurroundings {
  components: ReadonlyMap<string, Component>;
  known: KnownTypes;
}

type Workflows = Readonly<Record<string, ServiceWorkflow>>;

export function workflowRunFaults(workflows: Workflows, surroundings: RunSurroundings): ModuleFault[] {
  const faults: ModuleFault[] = [];
  const add = (field: string, message: string) => void faults.push({ field, message });
  const { create } = workflows;
  for (const option of missingOptions(create?.options)) add(`create.options.${option}`, 'has no default, and nothing gives it a value');
  for (const [name, { steps }] of Object.entries(workflows)) judgeSteps(`${name}.steps`, steps, surroundings, add);
  for (const [name, { steps, levels }] of workflowSizes(workflows)) {
    if (steps > MAX_TASK_STEPS) add(name, `it has more than ${MAX_TASK_STEPS} steps in total`);
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
    // One of several resources is named COMPONENT-N or COMPONENT-NODE; the service decides how many there are.
    const counted = [...components].find(([one, { on }]) => name.startsWith(`${one}-`) && typeof on === 'object' && on.count !== undefined);
    if (component === undefined && counted === undefined)
      add(`${at}.component`, `there is no component ${JSON.stringify(name)}, and no resource of that name`);
    const type = known.get((component ?? counted?.[1])?.type ?? '');
    if (command !== undefined && type?.isWhole === true && !type.commands.has(command))
      add(`${at}.command`, `type ${type.name} has no command ${command}`);
  }
}
