/** Turns a workflow into a tree of leaves in the workflow's order. Pure. The caller decides which leaves a step yields for a resource. */
import { MAX_WORKFLOW_LEVELS, type ServiceStep, type ServiceWorkflow } from '../../../../../../protocol/definitions/assembly.ts';
import { durationMs } from '../../../../../../protocol/definitions/commands.ts';
import { DtkdError } from '../../../../../../protocol/errors.ts';
import { MAX_TASK_STEPS } from '../../../../../../protocol/kinds/task.ts';
import { textOf } from '../interpolation.ts';
import type { Order } from './order.ts';
import type { Group, Leaf, Manner, Work } from './plan.types.ts';
import { fill, type WorkflowOptions, workflowOptions } from './workflow-options.ts';

/** Steps that are processed at most, including those that yield nothing. */
const MAX_LOOKED_AT = 16 * MAX_TASK_STEPS;
const RETRY_DELAY_MS = 1_000;
const RETRY_BACKOFF = 2;

export type ComponentStep = ServiceStep & { component: string };

export interface TreeMaker {
  workflows: Readonly<Record<string, ServiceWorkflow>>;
  /** The resources that a step's component names, in order: all of a component, or the one of that name. */
  resourcesOf(name: string): readonly string[];
  /** The leaves of a step for one resource. Called in the order of the workflow. */
  leavesFor(step: ComponentStep, resource: string, manner: Manner, options: Readonly<Record<string, string>>): readonly Leaf[];
  order: Order;
}

/** A part of the tree, with its first and its last leaves. */
interface Part {
  group: Group;
  first: readonly Leaf[];
  last: readonly Leaf[];
}

/**
 * The tree of a workflow, with the leaves that it ends with. Errors: NOT_FOUND for an unknown workflow; INVALID for options that
 * do not fit; TOO_LARGE.
 */
export function workflowTree(maker: TreeMaker, name: string, given: WorkflowOptions): { group: Group; last: readonly Leaf[] } {
  const builder = new Builder(maker);
  const { group, last } = builder.workflow(name, name, given, {}, 0);
  return { group, last };
}

class Builder {
  readonly #maker: TreeMaker;
  #looked = 0;

  constructor(maker: TreeMaker) {
    this.#maker = maker;
  }

  workflow(name: string, title: string, given: WorkflowOptions, manner: Manner, level: number): Part {
    const workflow = Object.hasOwn(this.#maker.workflows, name) ? this.#maker.workflows[name] : undefined;
    if (workflow === undefined) throw new DtkdError('NOT_FOUND', `there is no workflow ${name}`);
    const options = workflowOptions(name, workflow, given);
    return this.#steps(workflow.steps, title, workflow.order, options, manner, level);
  }

  #steps(
    steps: readonly ServiceStep[],
    title: string,
    order: 'sequential' | 'concurrent' | undefined,
    options: WorkflowOptions,
    manner: Manner,
    level: number,
  ): Part {
    if (level > 2 * MAX_WORKFLOW_LEVELS) throw new DtkdError('TOO_LARGE', 'workflows are nested too deeply');
    return this.#joined(
      title,
      steps.map((step) => () => this.#step(step, options, manner, level)),
      order ?? 'sequential',
    );
  }

  #step(step: ServiceStep, options: WorkflowOptions, above: Manner, level: number): Part {
    this.#looked += 1;
    if (this.#looked > MAX_LOOKED_AT)
      throw new DtkdError('TOO_LARGE', `the workflow has more than ${MAX_LOOKED_AT} steps with those within it`);
    const manner = mannerOf(step, above);
    const given = Object.fromEntries(Object.entries(step.options ?? {}).map(([name, value]) => [name, textOf(fill(value, options))]));
    const { component, workflow } = step;
    if (workflow !== undefined) return this.workflow(workflow, step.name ?? workflow, given, manner, level + 1);
    if (component === undefined) return this.#steps(step.steps ?? [], step.name ?? 'Steps', step.order, options, manner, level + 1);
    return this.#component({ ...step, component }, manner, given);
  }

  #component(step: ComponentStep, manner: Manner, options: Readonly<Record<string, string>>): Part {
    const resources = this.#maker.resourcesOf(step.component);
    const title = step.name ?? `${step.command ?? 'Bring up'} ${step.component}`;
    const each = resources.map((resource) => this.#maker.leavesFor(step, resource, manner, options)).filter((leaves) => leaves.length > 0);
    const size = batchSize(step, resources.length);
    const batches: Leaf[][] = [];
    for (let start = 0; start < each.length; start += size) batches.push(each.slice(start, start + size).flat());
    return this.#joined(
      title,
      batches.map((batch, index) => () => ({
        group: { title: `Batch ${index + 1} of ${batches.length}`, children: batch },
        first: batch,
        last: batch,
      })),
      'sequential',
    );
  }

  #joined(title: string, makers: readonly (() => Part)[], order: 'sequential' | 'concurrent'): Part {
    const parts: Part[] = [];
    for (const make of makers) {
      const part = make();
      if (part.first.length === 0) continue;
      const before = parts.at(-1);
      if (order === 'sequential' && before !== undefined) for (const leaf of part.first) this.#maker.order.should(leaf, before.last);
      parts.push(part);
    }
    const group = { title, children: parts.map((part) => part.group) };
    if (order === 'concurrent') return { group, first: parts.flatMap((part) => part.first), last: parts.flatMap((part) => part.last) };
    return { group, first: parts[0]?.first ?? [], last: parts.at(-1)?.last ?? [] };
  }
}

/** `2`: that many; `25%`: that share of all, at least one. Sequential order means one at a time. */
function batchSize({ batch, order }: Pick<ServiceStep, 'batch' | 'order'>, all: number): number {
  if (batch === undefined) return order === 'sequential' ? 1 : Math.max(all, 1);
  const number = Number.parseInt(batch, 10);
  const size = batch.endsWith('%') ? Math.ceil((all * Math.min(number, 100)) / 100) : number;
  return Math.max(size, 1);
}

/** Names of components and resources that a workflow brings up: those in steps without a command, including the workflows that it calls. */
export function broughtBy(name: string, workflows: Readonly<Record<string, ServiceWorkflow>>): Set<string> {
  const found = new Set<string>();
  const seen = new Set<string>();
  const look = (steps: readonly ServiceStep[]): void => {
    for (const { component, command, workflow, steps: inner } of steps) {
      if (component !== undefined && command === undefined) found.add(component);
      if (inner !== undefined) look(inner);
      if (workflow !== undefined) open(workflow);
    }
  };
  const open = (workflow: string): void => {
    if (seen.has(workflow) || !Object.hasOwn(workflows, workflow)) return;
    seen.add(workflow);
    look(workflows[workflow]?.steps ?? []);
  };
  open(name);
  return found;
}

function mannerOf(step: ServiceStep, above: Manner): Manner {
  const ignore = step['on-failure'] === undefined ? above.ignoreFailure : step['on-failure'] === 'ignore';
  return {
    ...(ignore === true ? { ignoreFailure: true } : {}),
    ...(step.retry === undefined ? { retry: above.retry } : { retry: retryOf(step.retry) }),
    timeout: step.timeout ?? above.timeout,
  };
}

function retryOf({ attempts, delay, backoff }: NonNullable<ServiceStep['retry']>): Work['retry'] {
  return { attempts, delayMs: delay === undefined ? RETRY_DELAY_MS : durationMs(delay), backoff: backoff ?? RETRY_BACKOFF };
}
