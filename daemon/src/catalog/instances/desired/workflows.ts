/**
 * Checks the workflows of a service before one is run: everything that they name exists, none calls itself, and none has too many
 * steps.
 */
import { MAX_WORKFLOW_LEVELS, type ServiceStep, type ServiceWorkflow } from '../../../../../protocol/definitions/assembly.ts';
import type { OptionRule } from '../../../../../protocol/definitions/commands.ts';
import { missingOptions, readOptionValue } from '../../../../../protocol/definitions/option-value.ts';
import type { ServiceFile } from '../../../../../protocol/definitions/service-file.ts';
import { MAX_TASK_STEPS } from '../../../../../protocol/kinds/task.ts';
import { hasReference } from '../../../../../protocol/modules/references.ts';
import { workflowSizes, workflowsRun } from '../../../../../protocol/modules/workflow-size.ts';
import { nearMiss } from '../../../../../protocol/text/near-miss.ts';
import { askedFor } from './commands-of.ts';
import type { Components, ExpandedComponent } from './component.ts';
import { cyclesOf } from './cycles.ts';
import { type FilePath, type Findings, listed } from './findings.ts';
import { interpolateBut, textOf } from './interpolation.ts';
import { isKnown } from './outcome.ts';
import { fill } from './plan/workflow-options.ts';
import type { Scope } from './scope.ts';

/** The workflow that a converge follows. Nobody passes it options. */
const BY_ITSELF = 'create';

/** The workflows with all references filled in except those to options, which are known only when one is run. */
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
  for (const option of missingOptions(Object.hasOwn(written, BY_ITSELF) ? written[BY_ITSELF]?.options : undefined)) {
    const at = ['workflows', BY_ITSELF, 'options', option];
    findings.add('REQUIRED_UNSET', at, 'has no default, and nothing gives it a value', 'Give it a default.');
  }
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
    const options = new Map(
      Object.entries(step.options ?? {}).map(([name, value]) => [name, optionOf(judge, value, workflow, [...at, 'options', name])]),
    );
    judgeStep(judge, step, options, at);
    return {
      ...step,
      ...(step.options === undefined ? {} : { options: Object.fromEntries([...options].map(([name, { value }]) => [name, value])) }),
      ...(step.steps === undefined ? {} : { steps: stepsOf(judge, step.steps, workflow, [...at, 'steps']) }),
    };
  });
}

function judgeStep(judge: Judge, step: ServiceStep, options: ReadonlyMap<string, StepOption>, path: FilePath): void {
  const { workflows, byResource, components, findings } = judge;
  if (step.workflow !== undefined) {
    const called = Object.hasOwn(workflows, step.workflow) ? workflows[step.workflow] : undefined;
    if (called === undefined) {
      const near = nearMiss(step.workflow, Object.keys(workflows));
      const next = near === undefined ? `There are: ${listed(Object.keys(workflows))}.` : `Did you mean ${near}?`;
      findings.add('ILLEGAL_VALUE', [...path, 'workflow'], `there is no workflow ${step.workflow}`, next);
    } else judgeOptions(judge, { title: `the workflow ${step.workflow}`, rules: called.options ?? {} }, options, path);
  }
  if (step.component === undefined) {
    if (step.command !== undefined) findings.add('ILLEGAL_VALUE', [...path, 'command'], 'a command needs the component that runs it');
    return;
  }
  const component = byResource.get(step.component);
  if (component === undefined) {
    // not resources: a number beyond the current count is no typing error, but does not exist either
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
    judgeOptions(judge, { title: `the command ${step.command} of ${type.name}`, rules }, options, path);
    return;
  }
  const near = nearMiss(step.command, names);
  const why = type.commands.has(step.command) ? `is private: only other commands run it` : 'is not there';
  const next = near === undefined ? `There are: ${listed(names)}.` : `Did you mean ${near}?`;
  findings.add('COMPONENT_CONSTRAINT', [...path, 'command'], `the command ${step.command} of ${type.name} ${why}`, next);
}

/** Checks the options that a step passes against the rules. */
function judgeOptions(
  { findings }: Judge,
  { title, rules }: { title: string; rules: Readonly<Record<string, OptionRule>> },
  given: ReadonlyMap<string, StepOption>,
  path: FilePath,
): void {
  for (const [option, { value, isKnown: known }] of given) {
    const at = [...path, 'options', option];
    const rule = Object.hasOwn(rules, option) ? rules[option] : undefined;
    if (rule === undefined)
      findings.add('COMPONENT_CONSTRAINT', at, `${title} has no option ${option}`, `It has: ${listed(Object.keys(rules))}.`);
    else if (known) {
      const read = readOptionValue(fill(value, {}), rule);
      if ('error' in read) findings.add('ILLEGAL_VALUE', at, `the option ${option} of ${title} ${read.error}`);
    }
  }
  for (const option of missingOptions(rules, Object.fromEntries(given)))
    findings.add('REQUIRED_UNSET', [...path, 'options'], `${title} needs the option ${option}`, `Give it under \`options\`.`);
}

/** The value that a step passes for an option. It is not known before the run if it refers to options of the workflow. */
interface StepOption {
  value: string | number | boolean;
  isKnown: boolean;
}

function optionOf({ scope, findings }: Judge, value: string | number | boolean, workflow: ServiceWorkflow, path: FilePath): StepOption {
  if (typeof value !== 'string' || !value.includes('${')) return { value, isKnown: true };
  for (const [, option = ''] of value.matchAll(/(?<!\$)\$\{\s*options\.([^}]*)\}/g)) {
    if (Object.hasOwn(workflow.options ?? {}, option.trim())) continue;
    findings.add(
      'ILLEGAL_VALUE',
      path,
      `refers to an option ${option.trim().slice(0, 80)}, which the workflow does not have`,
      `It has: ${listed(Object.keys(workflow.options ?? {}))}.`,
    );
  }
  const outcome = interpolateBut('options', value, scope.at(path));
  // an unset value is reported when the workflow is run: the service comes up without it
  if (!isKnown(outcome)) return { value: '', isKnown: false };
  const filled = textOf(outcome.value);
  // what may be the name of a Secret must not be repeated in a message
  return { value: filled, isKnown: !outcome.secret && !hasReference(filled) };
}

/** No workflow may call itself, be nested too deeply, or have too many steps. */
function judgeWhole(workflows: Readonly<Record<string, ServiceWorkflow>>, findings: Findings): void {
  const graph = new Map(Object.entries(workflows).map(([name, { steps }]) => [name, workflowsRun(steps)]));
  const cycles = cyclesOf(graph);
  for (const cycle of cycles)
    findings.add('DEPENDS_ON_ITSELF', ['workflows', cycle[0] ?? ''], `it runs itself without end: ${cycle.join(' → ')}`);
  if (cycles.length > 0) return;
  for (const [name, { steps, levels }] of workflowSizes(workflows)) {
    if (steps > MAX_TASK_STEPS) findings.add('TOO_MANY', ['workflows', name], `it has more than ${MAX_TASK_STEPS} steps in total`);
    if (levels > MAX_WORKFLOW_LEVELS)
      findings.add('TOO_MANY', ['workflows', name], `its steps are nested more than ${MAX_WORKFLOW_LEVELS} levels deep`);
  }
}
