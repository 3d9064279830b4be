/** How much the workflows of a service come to: pure. Recursion goes as deep as steps are nested in their file, and never along workflows. */
import type { ServiceStep, ServiceWorkflow } from '../definitions/assembly.ts';
import { MAX_TASK_STEPS } from '../kinds/task.ts';
import { lastFirst } from './cycle.ts';

export interface WorkflowSize {
  /** With those of the workflows that it runs; one more than a task may have stands for all that is beyond. */
  steps: number;
  /** Of workflows and groups within one another. */
  levels: number;
}

const EMPTY: WorkflowSize = { steps: 0, levels: 0 };

/** Each workflow by its name, in the order of the file. One that runs itself counts for nothing where it does: that is told elsewhere. */
export function workflowSizes(workflows: Readonly<Record<string, ServiceWorkflow>>): ReadonlyMap<string, WorkflowSize> {
  const sizes = new Map<string, WorkflowSize>();
  const graph = new Map(Object.entries(workflows).map(([name, { steps }]) => [name, workflowsRun(steps)]));
  for (const name of lastFirst(graph)) sizes.set(name, measured(workflows[name]?.steps ?? [], sizes));
  return new Map(Object.keys(workflows).map((name) => [name, sizes.get(name) ?? EMPTY]));
}

/** The workflows that steps run, each once. */
export function workflowsRun(steps: readonly ServiceStep[]): string[] {
  return [
    ...new Set(steps.flatMap(({ workflow, steps: inner = [] }) => [...(workflow === undefined ? [] : [workflow]), ...workflowsRun(inner)])),
  ];
}

function measured(steps: readonly ServiceStep[], sizes: ReadonlyMap<string, WorkflowSize>): WorkflowSize {
  const inner = steps.map((step) => {
    if (step.workflow !== undefined) return sizes.get(step.workflow) ?? EMPTY;
    return step.steps === undefined ? EMPTY : measured(step.steps, sizes);
  });
  const sum = inner.reduce((all, one) => all + one.steps + 1, 0);
  return { steps: Math.min(sum, MAX_TASK_STEPS + 1), levels: 1 + inner.reduce((most, { levels }) => Math.max(most, levels), 0) };
}
