/**
 * Plans taking an instance down. Pure. Follows the workflow `delete`, if there is one, as far as needs allow, and then takes down
 * what is left.
 */
import type { ServiceWorkflow } from '../../../../../../protocol/definitions/assembly.ts';
import type { Plan } from '../../instances.types.ts';
import { numbered } from './numbered.ts';
import { Order } from './order.ts';
import type { Acts, Applied, Leaf, PlanOptions, Tree } from './plan.types.ts';
import { resourcesByName, runLeaf } from './running.ts';
import { DEFAULT_THREADS, downLeaf, downTrees, orderDowns } from './taking-down.ts';
import { workflowTree } from './workflow-tree.ts';

const DELETE = 'delete';

/**
 * Takes down everything that is applied. `workflow`: the instance's `delete`; `options.workflows`: all of its workflows, which
 * `delete` may call. A step without a command takes its resources down; one with a command runs it on those that are not down by
 * then. Errors: TOO_LARGE; INVALID for options of the workflow that have no defaults.
 */
export function planDelete(
  applied: Applied,
  workflow?: ServiceWorkflow | undefined,
  options: PlanOptions & { workflows?: Readonly<Record<string, ServiceWorkflow>> | undefined } = {},
): Plan {
  const workflows: Readonly<Record<string, ServiceWorkflow>> = workflow === undefined ? {} : { ...options.workflows, [DELETE]: workflow };
  const order = new Order();
  const downs = new Map([...applied].map(([name, row]) => [name, downLeaf(row, options)]));
  const placed = new Set<string>();
  const trees: Tree[] = [];
  let last: readonly Leaf[] = [];
  if (Object.hasOwn(workflows, DELETE)) {
    const tree = workflowTree(
      {
        workflows,
        order,
        resourcesOf: resourcesByName(applied),
        leavesFor: ({ command }, name, manner, given) => {
          const [down, row] = [downs.get(name), applied.get(name)];
          if (down === undefined || row === undefined || placed.has(name)) return [];
          if (command === undefined) {
            placed.add(name);
            down.work = { ...down.work, ...manner };
            return [down];
          }
          if (down.work.node !== row.node || (options.nodes !== undefined && !options.nodes.has(row.node))) return [];
          const leaf = runLeaf(row, command, given, manner);
          order.must(down, [leaf]);
          return [leaf];
        },
      },
      DELETE,
      {},
    );
    trees.push({ ...tree.group, title: 'Delete' });
    last = tree.last;
  }
  orderDowns(order, downs, applied);
  for (const [name, leaf] of downs) if (!placed.has(name)) order.should(leaf, last);
  trees.push(...downTrees(downs, applied, (name) => !placed.has(name)));
  const acts: Acts = new Map([...applied.keys()].map((name) => [name, 'delete']));
  return {
    steps: numbered(trees, order),
    threads: options.threads ?? workflows[DELETE]?.threads ?? DEFAULT_THREADS,
    acts,
    unchanged: 0,
    differences: [],
  };
}
