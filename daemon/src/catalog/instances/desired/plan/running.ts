/** Plans commands on applied resources: actions, the instance's own workflows and checks. Pure. None of these changes what is applied. */
import type { ServiceWorkflow } from '../../../../../../protocol/definitions/assembly.ts';
import { DtkdError } from '../../../../../../protocol/errors.ts';
import { nearMiss } from '../../../../../../protocol/text/near-miss.ts';
import type { AppliedResource, Plan } from '../../instances.types.ts';
import { commandFor } from '../commands-of.ts';
import { listed } from '../findings.ts';
import { groupOf } from './levels.ts';
import { numbered } from './numbered.ts';
import { Order } from './order.ts';
import type { ActionOptions, Applied, Leaf, Manner, PlanOptions, Tree } from './plan.types.ts';
import { DEFAULT_THREADS } from './taking-down.ts';
import { workflowTree } from './workflow-tree.ts';

/** Workflows that cannot be run by name, with the command to use instead. */
const NOT_BY_NAME: Readonly<Record<string, string>> = { create: 'dtkd converge NAME', delete: 'dtkd service delete NAME' };

/**
 * Runs a workflow of an instance. A step without a command runs again the command that brings its resources up. Errors: NOT_FOUND
 * for an unknown workflow, command or component; BAD_REQUEST for `create` and `delete`; INVALID for options that do not fit;
 * TOO_LARGE.
 */
export function planWorkflow(
  applied: Applied,
  workflows: Readonly<Record<string, ServiceWorkflow>>,
  name: string,
  given: Readonly<Record<string, string>> = {},
  options: PlanOptions = {},
): Plan {
  if (!Object.hasOwn(workflows, name)) {
    const near = nearMiss(name, Object.keys(workflows));
    const next = near === undefined ? `There are: ${listed(Object.keys(workflows))}.` : `Did you mean ${near}?`;
    throw new DtkdError('NOT_FOUND', `there is no workflow ${name}`, { next });
  }
  const instead = Object.hasOwn(NOT_BY_NAME, name) ? NOT_BY_NAME[name] : undefined;
  if (instead !== undefined) throw new DtkdError('BAD_REQUEST', `the workflow ${name} cannot be run by itself`, { next: instead });
  const order = new Order();
  const { group } = workflowTree(
    {
      workflows,
      order,
      resourcesOf: resourcesByName(applied),
      leavesFor: (step, resource, manner, filled) => {
        const row = applied.get(resource);
        if (row === undefined) return [];
        const command = step.command ?? commandFor('converge', row.commands);
        return command === undefined ? [] : [runLeaf(row, command, filled, manner)];
      },
    },
    name,
    given,
  );
  return planOf([group], order, options.threads ?? workflows[name]?.threads, applied);
}

/**
 * Runs a command on all resources of a component, or on one resource. Errors: NOT_FOUND for an unknown component, resource or
 * command; BAD_REQUEST for `delete`, which would leave a row for a resource that is gone; TOO_LARGE.
 */
export function planAction(
  applied: Applied,
  what: string,
  command: string,
  given: Readonly<Record<string, string>> = {},
  options: ActionOptions = {},
): Plan {
  const names = resourcesByName(applied)(what);
  if (names.length === 0) {
    const components = [...new Set([...applied.values()].map(({ component }) => component))];
    const near = nearMiss(what, [...components, ...applied.keys()]);
    const next = near === undefined ? `There are: ${listed(components)}.` : `Did you mean ${near}?`;
    throw new DtkdError('NOT_FOUND', `nothing with the name ${what} is applied`, { next });
  }
  if (command === commandFor('delete', [command])) {
    throw new DtkdError('BAD_REQUEST', `${what} cannot be taken down by itself, since it still belongs to the service`, {
      next: 'Remove it from the service with "dtkd service rm-component", or take the whole service down with "dtkd service delete".',
    });
  }
  const order = new Order();
  const step = { component: what, command, batch: options.batch };
  const { group } = workflowTree(
    {
      workflows: { [command]: { steps: [step] } },
      order,
      resourcesOf: () => names,
      leavesFor: (_step, resource, manner) => {
        const row = applied.get(resource);
        return row === undefined ? [] : [runLeaf(row, command, given, manner)];
      },
    },
    command,
    {},
  );
  return planOf([{ ...group, title: `${command} ${what}` }], order, options.threads, applied);
}

/** Runs the `check` of all applied resources, except those that have none and those that are known to be broken. */
export function planCheck(applied: Applied, options: PlanOptions = {}): Plan {
  const leaves = [...applied.values()].flatMap((row) => {
    const command = commandFor('check', row.commands);
    if (command === undefined || row.digest === undefined) return [];
    const leaf: Leaf = { title: `check ${row.name}`, work: { resource: row.name, node: row.node, command, act: 'check', options: {} } };
    return [{ component: row.component, leaf }];
  });
  return planOf([groupOf('Check', leaves)], new Order(), options.threads, applied);
}

/** A leaf that runs a command of an applied resource. Errors: NOT_FOUND, listing the commands that there are. */
export function runLeaf(row: AppliedResource, command: string, options: Readonly<Record<string, string>>, manner: Manner): Leaf {
  if (!row.commands.includes(command)) {
    const near = nearMiss(command, row.commands);
    const next = near === undefined ? `There are: ${listed(row.commands, 20)}.` : `Did you mean ${near}?`;
    throw new DtkdError('NOT_FOUND', `${row.name}, a ${row.type}, has no command ${command} that can be run`, { next });
  }
  return { title: `${command} ${row.name}`, work: { resource: row.name, node: row.node, command, act: 'run', options, ...manner } };
}

/** Resolves a name to resources: all of the component of that name, in natural order, or the single resource of that name. */
export function resourcesByName(applied: Applied): (name: string) => readonly string[] {
  const byComponent = new Map<string, string[]>();
  for (const { name, component } of applied.values()) {
    const names = byComponent.get(component) ?? [];
    byComponent.set(component, names);
    names.push(name);
  }
  for (const names of byComponent.values()) names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  return (name) => byComponent.get(name) ?? (applied.has(name) ? [name] : []);
}

function planOf(trees: Tree[], order: Order, threads: number | undefined, applied: Applied): Plan {
  return { steps: numbered(trees, order), threads: threads ?? DEFAULT_THREADS, acts: new Map(), unchanged: applied.size, differences: [] };
}
