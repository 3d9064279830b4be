/** Takes down applied resources. Pure. Dependents go before what they need. */
import type { AppliedResource } from '../../instances.types.ts';
import { commandFor } from '../commands-of.ts';
import { groupOf, levelsOf, type Needing, neededOf } from './levels.ts';
import type { Order } from './order.ts';
import type { Applied, Leaf, PlanOptions, Tree } from './plan.types.ts';

/** Commands at a time, unless the request or the workflow says otherwise. */
export const DEFAULT_THREADS = 16;

/** The leaf that takes a resource down. On a node that is no longer a member nothing is run: the resource is forgotten. */
export function downLeaf({ name, node, commands }: AppliedResource, { nodes }: PlanOptions): Leaf {
  const lost = nodes !== undefined && !nodes.has(node);
  const command = lost ? undefined : commandFor('delete', commands);
  return {
    title: lost ? `forget ${name}: its node is no longer known` : `delete ${name}`,
    work: { resource: name, node, command, act: 'delete', options: {} },
  };
}

/** For each resource that is taken down, the others of them that need it, as lists that many resources may share. */
export function needingOf(downs: ReadonlyMap<string, Leaf>, applied: Applied): Map<string, (readonly string[])[]> {
  const byList = new Map<readonly string[], string[]>();
  for (const [name, needs] of neededOf(sharing(applied), new Set(downs.keys()))) {
    const names = byList.get(needs) ?? [];
    byList.set(needs, names);
    names.push(name);
  }
  const needing = new Map<string, (readonly string[])[]>();
  for (const [needs, names] of byList) {
    for (const one of needs) {
      const lists = needing.get(one) ?? [];
      needing.set(one, lists);
      lists.push(names);
    }
  }
  return needing;
}

export function orderDowns(order: Order, downs: ReadonlyMap<string, Leaf>, applied: Applied): void {
  const leaves = new Map<readonly string[], Leaf[]>();
  for (const [name, lists] of needingOf(downs, applied)) {
    const leaf = downs.get(name);
    for (const names of leaf === undefined ? [] : lists) {
      const before = leaves.get(names) ?? names.flatMap((one) => downs.get(one) ?? []);
      leaves.set(names, before);
      if (leaf !== undefined) order.must(leaf, before);
    }
  }
}

/**
 * Rows as read from the store each have their own `needs`. Gives equal lists one identity, so that work is done once for each
 * list and not once for each resource.
 */
function sharing(applied: Applied): Map<string, Needing> {
  const lists = new Map<string, readonly string[]>();
  return new Map(
    [...applied].map(([name, { needs }]) => {
      const text = needs.join('\n');
      const list = lists.get(text) ?? needs;
      lists.set(text, list);
      return [name, { name, needs: list }];
    }),
  );
}

/** Groups of the chosen resources, dependents first. */
export function downTrees(downs: ReadonlyMap<string, Leaf>, applied: Applied, chosen: (name: string) => boolean): Tree[] {
  const names = new Set([...downs.keys()].filter(chosen));
  return levelsOf(neededOf(sharing(applied), names))
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
