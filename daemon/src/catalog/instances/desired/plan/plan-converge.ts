/**
 * Plans the way from what is applied to what is wanted. Pure. Resources come up in the order of their needs, and in that of the
 * workflow `create` as far as their needs allow. What is no longer wanted is taken down afterwards, dependents first, except
 * where it is in the way: a resource that moves to another node, or that listens on a port that a new one needs.
 */
import type { ServiceWorkflow } from '../../../../../../protocol/definitions/assembly.ts';
import type { Desired, DesiredResource, Plan } from '../../instances.types.ts';
import { commandFor } from '../commands-of.ts';
import { actsOf, isAnother } from './acts.ts';
import { differencesOf } from './differences.ts';
import { groupOf, levelsOf, neededOf } from './levels.ts';
import { numbered } from './numbered.ts';
import { Order } from './order.ts';
import type { Acts, Applied, Leaf, Manner, PlanOptions, Tree } from './plan.types.ts';
import { DEFAULT_THREADS, downLeaf, downTrees, needingOf, orderDowns } from './taking-down.ts';
import { broughtBy, type TreeMaker, workflowTree } from './workflow-tree.ts';

const CREATE = 'create';

/**
 * Plans a converge. Without anything to do there are no steps. Errors: TOO_LARGE; INVALID for a workflow `create` with options
 * that have no defaults.
 */
export function planConverge(
  desired: Pick<Desired, 'resources' | 'workflows'>,
  applied: Applied,
  options: PlanOptions & { workflows?: Readonly<Record<string, ServiceWorkflow>> | undefined } = {},
): Plan {
  const workflows = options.workflows ?? desired.workflows;
  return new Converge(desired.resources, applied, workflows, options).plan();
}

class Converge {
  readonly #desired: ReadonlyMap<string, DesiredResource>;
  readonly #applied: Applied;
  readonly #workflows: Readonly<Record<string, ServiceWorkflow>>;
  readonly #options: PlanOptions;
  readonly #order = new Order();
  readonly #acts: Acts;
  /** Leaves that bring resources up, by resource. */
  readonly #ups = new Map<string, Leaf>();
  /** Resources whose place in the workflow has been reached, whether or not there is anything to do. */
  readonly #passed = new Set<string>();
  /** Commands that the workflow runs after bringing a resource up, by resource: the keys under which its row lists them as due. */
  readonly #due = new Map<string, string[]>();

  constructor(
    desired: ReadonlyMap<string, DesiredResource>,
    applied: Applied,
    workflows: Readonly<Record<string, ServiceWorkflow>>,
    options: PlanOptions,
  ) {
    this.#desired = desired;
    this.#applied = applied;
    this.#workflows = workflows;
    this.#options = options;
    this.#acts = actsOf(desired, applied);
  }

  plan(): Plan {
    for (const [name, act] of this.#acts) {
      const resource = this.#desired.get(name);
      if (resource !== undefined && act !== 'delete') this.#ups.set(name, upLeaf(act, resource));
    }
    const downs = this.#downs();
    const first = this.#inTheWay(downs);
    const trees: Tree[] = downTrees(downs, this.#applied, (name) => first.has(name));
    const workflow = this.#workflow();
    if (workflow !== undefined) trees.push(workflow.group);
    const runs = workflow?.runs ?? [];
    trees.push(...this.#unnamed(workflow?.last ?? []));
    this.#orderUps();
    orderDowns(this.#order, downs, this.#applied);
    const before = [...this.#ups.values(), ...runs];
    for (const [name, leaf] of downs) if (!first.has(name)) this.#order.should(leaf, before);
    trees.push(...downTrees(downs, this.#applied, (name) => !first.has(name)));
    for (const [name, keys] of this.#due) {
      const leaf = this.#ups.get(name);
      if (leaf !== undefined) leaf.work = { ...leaf.work, due: keys };
    }
    const touched = new Set([...this.#ups.keys(), ...runs.map(({ work }) => work.resource)]);
    return {
      steps: numbered(trees, this.#order),
      threads: this.#options.threads ?? this.#workflows[CREATE]?.threads ?? DEFAULT_THREADS,
      acts: this.#acts,
      unchanged: [...this.#desired.keys()].filter((name) => !touched.has(name)).length,
      differences: differencesOf(this.#desired, this.#applied),
    };
  }

  /** Leaves that take down what is no longer wanted, and what is wanted on another node or with another type. */
  #downs(): Map<string, Leaf> {
    const downs = new Map<string, Leaf>();
    for (const [name, row] of this.#applied) {
      const resource = this.#desired.get(name);
      if (resource === undefined || isAnother(row, resource)) downs.set(name, downLeaf(row, this.#options));
    }
    return downs;
  }

  /** Resources that must be down before something comes up, and all that need them and are taken down as well. */
  #inTheWay(downs: ReadonlyMap<string, Leaf>): Set<string> {
    const first = new Set<string>();
    const listening = new Map<string, string[]>();
    for (const name of downs.keys()) {
      const row = this.#applied.get(name);
      if (row?.port !== undefined) listening.set(`${row.node} ${row.port}`, [...(listening.get(`${row.node} ${row.port}`) ?? []), name]);
    }
    for (const [name, up] of this.#ups) {
      const resource = this.#desired.get(name);
      const there = resource?.port === undefined ? [] : (listening.get(`${resource.node} ${resource.port}`) ?? []);
      const before = [...(downs.has(name) ? [name] : []), ...there];
      for (const one of before) first.add(one);
      this.#order.must(
        up,
        [...new Set(before)].flatMap((one) => downs.get(one) ?? []),
      );
    }
    const needing = needingOf(downs, this.#applied);
    for (const name of first) for (const one of needing.get(name)?.flat() ?? []) first.add(one);
    return first;
  }

  #orderUps(): void {
    const lists = new Map<readonly string[], Leaf[]>();
    for (const [name, needs] of neededOf(this.#desired, new Set(this.#ups.keys()))) {
      const up = this.#ups.get(name);
      const before = lists.get(needs) ?? needs.flatMap((one) => this.#ups.get(one) ?? []);
      lists.set(needs, before);
      if (up !== undefined) this.#order.must(up, before);
    }
  }

  #workflow(): { group: Tree; last: readonly Leaf[]; runs: Leaf[] } | undefined {
    if (!Object.hasOwn(this.#workflows, CREATE)) return undefined;
    const byComponent = new Map<string, string[]>();
    for (const [name, { component }] of this.#desired) byComponent.set(component, [...(byComponent.get(component) ?? []), name]);
    const named = broughtBy(CREATE, this.#workflows);
    const runs: Leaf[] = [];
    const maker: TreeMaker = {
      workflows: this.#workflows,
      order: this.#order,
      resourcesOf: (name) => byComponent.get(name) ?? (this.#desired.has(name) ? [name] : []),
      leavesFor: (step, name, manner, options) => {
        if (step.command === undefined) return this.#place(name, manner);
        const leaves = this.#run(name, step.command, manner, options, named);
        runs.push(...leaves.filter(({ work }) => work.act === 'run'));
        return leaves;
      },
    };
    const { group, last } = workflowTree(maker, CREATE, {});
    return { group: { ...group, title: 'Create' }, last, runs };
  }

  /** The leaf that brings a resource up, at the place where the workflow first names it. */
  #place(name: string, manner: Manner): readonly Leaf[] {
    const up = this.#ups.get(name);
    if (this.#passed.has(name) || up === undefined) {
      this.#passed.add(name);
      return [];
    }
    this.#passed.add(name);
    up.work = { ...up.work, ...manner };
    return [up];
  }

  /**
   * A command that the workflow runs. Before the resource is brought up it runs only on a resource that exists already; after
   * that, only if the resource is brought up now or the command is still due from earlier. A resource that the workflow never
   * brings up is brought up just before its first command.
   */
  #run(
    name: string,
    command: string,
    manner: Manner,
    options: Readonly<Record<string, string>>,
    named: ReadonlySet<string>,
  ): readonly Leaf[] {
    const resource = this.#desired.get(name);
    if (resource === undefined) return [];
    const up = this.#ups.get(name);
    const leaf: Leaf = {
      title: `${command} ${name}`,
      work: { resource: name, node: resource.node, command, act: 'run', options, ...manner },
    };
    if (!this.#passed.has(name) && (named.has(resource.component) || named.has(name))) {
      if (up?.work.act !== 'converge') return [];
      this.#order.must(up, [leaf]);
      return [leaf];
    }
    const brought = this.#place(name, {});
    const key = this.#keyOf(name, command);
    if (up === undefined && this.#applied.get(name)?.due?.includes(key) !== true) return [];
    leaf.work.settles = key;
    if (up !== undefined) this.#order.must(leaf, [up]);
    return [...brought, leaf];
  }

  /** The key under which a row lists a command as due: its name, with a number if the workflow runs it more than once. */
  #keyOf(name: string, command: string): string {
    const keys = this.#due.get(name) ?? [];
    this.#due.set(name, keys);
    const times = keys.filter((key) => key === command || key.startsWith(`${command}#`)).length;
    const key = times === 0 ? command : `${command}#${times + 1}`;
    keys.push(key);
    return key;
  }

  /** Groups of the resources that the workflow does not bring up, by level. */
  #unnamed(after: readonly Leaf[]): Tree[] {
    const needed = neededOf(this.#desired, new Set([...this.#ups.keys()].filter((name) => !this.#passed.has(name))));
    return levelsOf(needed).map((names) => {
      const leaves = names.flatMap((name) => {
        const leaf = this.#ups.get(name);
        return leaf === undefined ? [] : [{ component: this.#desired.get(name)?.component ?? name, leaf }];
      });
      for (const { leaf } of leaves) this.#order.should(leaf, after);
      const created = leaves.filter(({ leaf }) => leaf.work.act === 'create').length;
      return groupOf(created === leaves.length ? 'Create' : created === 0 ? 'Converge' : 'Bring up', leaves);
    });
  }
}

function upLeaf(act: 'create' | 'converge', { name, node, commands }: DesiredResource): Leaf {
  return { title: `${act} ${name}`, work: { resource: name, node, command: commandFor(act, commands), act, options: {} } };
}
