/** Computes the size of a service's workflows. Pure. Recursion follows only the nesting of steps in their file, never workflows. */
import type { ServiceStep, ServiceWorkflow } from '../definitions/assembly.ts';
import { MAX_TASK_STEPS } from '../kinds/task.ts';
import { lastFirst } from './cycle.ts';

export interface WorkflowSize {
  /** Including the steps of the workflows that it runs. Capped at one more than a task may have. */
  steps: number;
  /** Depth of nested workflows and groups. */
  levels: number;
}

const EMPTY: WorkflowSize = { steps: 0, levels: 0 };

/**
 * Returns the size of each workflow, in the order of the file. A workflow that runs itself counts as empty there; that fault is reported
 * elsewhere.
 */
export function workflowSizes(workflows: Readonly<Record<string, ServiceWorkflow>>): ReadonlyMap<string, WorkflowSize> {
  const sizes = new Map<string, WorkflowSize>();
  const graph = new Map(Object.entries(workflows).map(([name, { steps }]) => [name, workflowsRun(steps)]));
  for (const name of lastFirst(graph)) sizes.set(name, measured(workflows[name]?.steps ?? [], sizes));
  return new Map(Object.keys(workflows).map((name) => [name, sizes.get(name) ?? EMPTY]));
}

/** Returns the workflows that steps run, each once. */
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
