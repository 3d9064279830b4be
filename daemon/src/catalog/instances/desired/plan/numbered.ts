/** Numbers a tree of steps. Pure. */
import { DtkdError } from '../../../../../../protocol/errors.ts';
import { MAX_TASK_STEPS } from '../../../../../../protocol/kinds/task.ts';
import type { PlannedStep } from '../../instances.types.ts';
import type { Order } from './order.ts';
import { isLeaf, type Leaf, type Tree } from './plan.types.ts';

/** Maximum length of a title in a Task. */
const MAX_TITLE = 256;

/**
 * The steps in tree order: `1`, `1.1`, … A group with one leaf becomes that leaf, a group with one subgroup takes over its
 * children, and an empty group disappears. Errors: TOO_LARGE.
 */
export function numbered(trees: readonly Tree[], order: Order): PlannedStep[] {
  const placed: { number: string; tree: Tree }[] = [];
  place(
    trees.flatMap((tree) => pruned(tree)),
    '',
    placed,
  );
  const leaves = placed.flatMap(({ tree }) => (isLeaf(tree) ? [tree] : []));
  const numberOf = new Map<Leaf, string>();
  for (const { number, tree } of placed) if (isLeaf(tree)) numberOf.set(tree, number);
  const numbers = leaves.map((leaf) => numberOf.get(leaf) ?? '');
  // leaves that wait for the same ones share one list
  const named = new Map<readonly number[], string[]>();
  const after = new Map<Leaf | undefined, string[]>();
  for (const [index, before] of order.settle(leaves).entries()) {
    const list = named.get(before) ?? before.map((one) => numbers[one] ?? '');
    named.set(before, list);
    after.set(leaves[index], list);
  }
  return placed.map(({ number, tree }) => ({
    number,
    title: tree.title.length > MAX_TITLE ? `${tree.title.slice(0, MAX_TITLE - 1)}…` : tree.title,
    after: isLeaf(tree) ? (after.get(tree) ?? []) : [],
    ...(isLeaf(tree) ? { work: tree.work } : {}),
  }));
}

function pruned(tree: Tree): Tree[] {
  if (isLeaf(tree)) return [tree];
  const children = tree.children.flatMap(pruned);
  const [only] = children;
  if (children.length > 1 || only === undefined) return only === undefined ? [] : [{ title: tree.title, children }];
  return isLeaf(only) ? [only] : [{ title: tree.title, children: only.children }];
}

function place(trees: readonly Tree[], above: string, placed: { number: string; tree: Tree }[]): void {
  for (const [index, tree] of trees.entries()) {
    if (placed.length >= MAX_TASK_STEPS) {
      throw new DtkdError('TOO_LARGE', `the plan has more than ${MAX_TASK_STEPS} steps, the most that a task may have`, {
        next: 'Divide it into several services, or shorten its workflows.',
      });
    }
    const number = `${above}${index + 1}`;
    placed.push({ number, tree });
    if (!isLeaf(tree)) place(tree.children, `${number}.`, placed);
  }
}
