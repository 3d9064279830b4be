/** Taking down what is applied: pure. What needs something goes before it. */
import type { AppliedResource } from '../../instances.types.ts';
import { commandFor } from '../commands-of.ts';
import { groupOf, levelsOf, neededOf } from './levels.ts';
import type { Order } from './order.ts';
import type { Applied, Leaf, PlanOptions, Tree } from './plan.types.ts';

/** Commands at a time, where neither who asks nor the workflow says. */
export const DEFAULT_THREADS = 16;

/** Nothing is run on a node that is not known any more: what was there is forgotten. */
export function downLeaf({ name, node, commands }: AppliedResource, { nodes }: PlanOptions): Leaf {
  const lost = nodes !== undefined && !nodes.has(node);
  const command = lost ? undefined : commandFor('delete', commands);
  return {
    title: lost ? `forget ${name}: its node is not known any more` : `delete ${name}`,
    work: { resource: name, node, command, act: 'delete', options: {} },
  };
}

/** For each of those that are taken down, the others of them that need it. */
export function needingOf(downs: ReadonlyMap<string, Leaf>, applied: Applied): Map<string, string[]> {
  const needing = new Map<string, string[]>();
  for (const [name, needs] of neededOf(applied, new Set(downs.keys()))) {
    for (const one of needs) {
      const names = needing.get(one) ?? [];
      needing.set(one, names);
      if (one !== name) names.push(name);
    }
  }
  return needing;
}

export function orderDowns(order: Order, downs: ReadonlyMap<string, Leaf>, applied: Applied): void {
  for (const [name, needing] of needingOf(downs, applied)) {
    const leaf = downs.get(name);
    if (leaf === undefined) continue;
    order.must(
      leaf,
      needing.flatMap((one) => downs.get(one) ?? []),
    );
  }
}

/** Those of them that are chosen, in groups: what nothing needs any more first. */
export function downTrees(downs: ReadonlyMap<string, Leaf>, applied: Applied, chosen: (name: string) => boolean): Tree[] {
  const names = new Set([...downs.keys()].filter(chosen));
  return levelsOf(neededOf(applied, names))
    .reverse()
    .map((level) =>
      groupOf(
        'Take down',
        level.flatMap((name) => {
          const leaf = downs.get(name);
          return leaf === undefined ? [] : [{ component: applied.get(name)?.component ?? name, leaf }];
        }),
      ),
    );
}
