/** Workflows of a service, judged before one is run: what they name is there, none runs itself, and all of them come to an end. */
import type { ServiceStep, ServiceWorkflow } from '../../../../../protocol/assembly.ts';
import { MAX_TASK_STEPS } from '../../../../../protocol/kinds/task.ts';
import { nearMiss } from '../../../../../protocol/near-miss.ts';
import type { ServiceFile } from '../../../../../protocol/service-file.ts';
import { askedFor } from './commands-of.ts';
import type { Components, ExpandedComponent } from './component.ts';
import { cyclesOf, lastFirst } from './cycles.ts';
import { type FilePath, type Findings, listed } from './findings.ts';
import { interpolateBut, textOf } from './interpolation.ts';
import { isKnown } from './outcome.ts';
import type { Scope } from './scope.ts';

/** Workflows within workflows, with the groups in them: numbers of steps such as 3.1.2 stay short. */
export const MAX_LEVELS = 12;

/** The workflows with all references filled in but those to options, which are known when one is run. */
export function workflowsOf(
  service: ServiceFile,
  components: Components,
  scope: Scope,
  findings: Findings,
): Record<string, ServiceWorkflow> {
  const written = service.workflows ?? {};
  const byResource = new Map<string, ExpandedComponent>();
  for (const component of components.values()) {
    byResource.set(component.name, component);
    for (const { name } of component.resources) if (!byResource.has(name)) byResource.set(name, component);
  }
  const judge: Judge = { workflows: written, byResource, components, scope, findings };
  const workflows = Object.fromEntries(
    Object.entries(written).map(([name, workflow]) => [
      name,
      { ...workflow, steps: stepsOf(judge, workflow.steps, workflow, ['workflows', name, 'steps']) },
    ]),
  );
  judgeWhole(written, findings);
  return workflows;
}

interface Judge {
  workflows: Readonly<Record<string, ServiceWorkflow>>;
  byResource: ReadonlyMap<string, ExpandedComponent>;
  components: Components;
  scope: Scope;
  findings: Findings;
}

function stepsOf(judge: Judge, steps: readonly ServiceStep[], workflow: ServiceWorkflow, path: FilePath): ServiceStep[] {
  return steps.map((step, index) => {
    const at = [...path, index];
    judgeStep(judge, step, at);
    const options = Object.entries(step.options ?? {}).map(
      ([name, value]) => [name, optionOf(judge, value, workflow, [...at, 'options', name])] as const,
    );
    return {
      ...step,
      ...(step.options === undefined ? {} : { options: Object.fromEntries(options) }),
      ...(step.steps === undefined ? {} : { steps: stepsOf(judge, step.steps, workflow, [...at, 'steps']) }),
    };
  });
}

function judgeStep({ workflows, byResource, components, findings }: Judge, step: ServiceStep, path: FilePath): void {
  if (step.workflow !== undefined && !Object.hasOwn(workflows, step.workflow)) {
    const near = nearMiss(step.workflow, Object.keys(workflows));
    const next = near === undefined ? `There are: ${listed(Object.keys(workflows))}.` : `Did you mean ${near}?`;
    findings.add('ILLEGAL_VALUE', [...path, 'workflow'], `there is no workflow ${step.workflow}`, next);
  }
  if (step.component === undefined) {
    if (step.command !== undefined) findings.add('ILLEGAL_VALUE', [...path, 'command'], 'a command needs the component that runs it');
    return;
  }
  const component = byResource.get(step.component);
  if (component === undefined) {
    // one that is placed with fewer resources than before has not been mistyped, but is not there either
    const near = nearMiss(step.component, [...components.keys()]);
    const next = near === undefined ? `There are: ${listed([...components.keys()])}.` : `Did you mean ${near}?`;
    findings.add(
      'UNKNOWN_COMPONENT',
      [...path, 'component'],
      `there is no component ${step.component}, and no resource of that name`,
      next,
    );
    return;
  }
  const { type } = component;
  if (step.command === undefined || type === undefined) return;
  const names = askedFor(type);
  if (names.includes(step.command)) {
    const rules = type.commands.get(step.command)?.options ?? {};
    for (const option of Object.keys(step.options ?? {})) {
      if (Object.hasOwn(rules, option)) continue;
      const message = `the command ${step.command} of ${type.name} has no option ${option}`;
      findings.add('COMPONENT_CONSTRAINT', [...path, 'options', option], message, `It has: ${listed(Object.keys(rules))}.`);
    }
    return;
  }
  const near = nearMiss(step.command, names);
  const why = type.commands.has(step.command) ? `is private: only other commands run it` : 'is not there';
  const next = near === undefined ? `There are: ${listed(names)}.` : `Did you mean ${near}?`;
  findings.add('COMPONENT_CONSTRAINT', [...path, 'command'], `the command ${step.command} of ${type.name} ${why}`, next);
}

function optionOf(
  { scope, findings }: Judge,
  value: string | number | boolean,
  workflow: ServiceWorkflow,
  path: FilePath,
): string | number | boolean {
  if (typeof value !== 'string' || !value.includes('${')) return value;
  for (const [, option = ''] of value.matchAll(/(?<!\$)\$\{\s*options\.([^}]*)\}/g)) {
    if (Object.hasOwn(workflow.options ?? {}, option.trim())) continue;
    findings.add(
      'ILLEGAL_VALUE',
      path,
      `refers to an option ${option.trim().slice(0, 80)}, which the workflow has not`,
      `It has: ${listed(Object.keys(workflow.options ?? {}))}.`,
    );
  }
  const outcome = interpolateBut('options', value, scope.at(path));
  return isKnown(outcome) ? textOf(outcome.value) : '';
}

/** None may run itself, be nested too deeply, or come to too many steps. */
function judgeWhole(workflows: Readonly<Record<string, ServiceWorkflow>>, findings: Findings): void {
  const graph = new Map(Object.entries(workflows).map(([name, { steps }]) => [name, [...new Set(calledBy(steps))]]));
  const cycles = cyclesOf(graph);
  for (const cycle of cycles)
    findings.add('DEPENDS_ON_ITSELF', ['workflows', cycle[0] ?? ''], `it runs itself without end: ${cycle.join(' → ')}`);
  if (cycles.length > 0) return;
  const sizes = new Map<string, { steps: number; levels: number }>();
  const sizeOf = (name: string) => sizes.get(name) ?? { steps: 0, levels: 0 };
  for (const name of lastFirst(graph)) sizes.set(name, measured(workflows[name]?.steps ?? [], sizeOf));
  for (const name of Object.keys(workflows)) {
    const { steps, levels } = sizeOf(name);
    if (steps > MAX_TASK_STEPS) findings.add('TOO_MANY', ['workflows', name], `it comes to more than ${MAX_TASK_STEPS} steps`);
    if (levels > MAX_LEVELS) findings.add('TOO_MANY', ['workflows', name], `its steps are nested more than ${MAX_LEVELS} levels deep`);
  }
}

function measured(
  steps: readonly ServiceStep[],
  sizeOf: (workflow: string) => { steps: number; levels: number },
): { steps: number; levels: number } {
  const inner = steps.map((step) =>
    step.workflow !== undefined ? sizeOf(step.workflow) : step.steps !== undefined ? measured(step.steps, sizeOf) : { steps: 0, levels: 0 },
  );
  return {
    steps: Math.min(
      inner.reduce((sum, one) => sum + one.steps + 1, 0),
      MAX_TASK_STEPS + 1,
    ),
    levels: 1 + inner.reduce((most, one) => Math.max(most, one.levels), 0),
  };
}

function calledBy(steps: readonly ServiceStep[]): string[] {
  return steps.flatMap((step) => [...(step.workflow === undefined ? [] : [step.workflow]), ...calledBy(step.steps ?? [])]);
}
