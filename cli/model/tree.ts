/** What runs where, as trees: nodes with what is deployed on them, and resources with their children. Pure. */
import { compareText } from '../../protocol/text/text-order.ts';
import { type JsonRecord, listAt, textAt } from '../json.ts';
import { escapeControls } from '../output/escape.ts';
import type { Output } from '../output/output.ts';

/** The prefix of Nodes among the parents of a resource. */
const NODE = 'node/';

/** A place in a tree. A resource is below each of its parents. */
export interface Branch {
  /** `node/NAME`, or the name of the resource. */
  name: string;
  /** `Type/name` of a resource, as commands take it. */
  resource?: string;
  model?: string;
  /** `above`: its children are shown where it came first. `unknown`: a parent that was not among the requested resources. */
  is?: 'above' | 'unknown';
  /** The number of children that are left out because they are too deep. */
  left?: number;
  children: Branch[];
}

/** The trees of the resources that one node owns. */
export interface Tree {
  owner: string;
  roots: Branch[];
}

export interface TreeOptions {
  /** Levels shown below the roots. */
  depth: number;
  /** Shows only this and what is below it: `node/NAME`, the name of a resource, or `Type/name`. */
  from?: string | undefined;
}

interface Entry {
  name: string;
  resource: string | undefined;
  model: string | undefined;
  parents: string[];
}

/**
 * Builds the trees for resources of any number of owners, in any order. Every resource is shown; one that no root leads to, as in a cycle,
 * becomes a root.
 */
export function treesOf(resources: readonly JsonRecord[], options: TreeOptions): Tree[] {
  const owners = Map.groupBy(resources, (resource) => textAt(resource, 'metadata', 'namespace') ?? '');
  return [...owners]
    .sort(([a], [b]) => compareText(a, b))
    .map(([owner, items]) => ({ owner, roots: rootsOf(items.map(entryOf), options) }))
    .filter(({ roots }) => roots.length > 0);
}

function entryOf(resource: JsonRecord): Entry {
  const name = textAt(resource, 'metadata', 'name') ?? '';
  return {
    name,
    resource: `${textAt(resource, 'spec', 'type') ?? '?'}/${textAt(resource, 'spec', 'name') ?? name}`,
    model: textAt(resource, 'spec', 'model'),
    parents: listAt(resource, 'spec', 'parents').filter((parent) => typeof parent === 'string'),
  };
}

function rootsOf(entries: readonly Entry[], { depth, from }: TreeOptions): Branch[] {
  const sorted = entries.toSorted(inOrder);
  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  const below = new Map<string, Entry[]>();
  for (const entry of sorted) {
    for (const parent of new Set(entry.parents)) {
      const siblings = below.get(parent);
      if (siblings === undefined) below.set(parent, [entry]);
      else siblings.push(entry);
    }
  }
  const find = (name: string): Entry => byName.get(name) ?? { name, resource: undefined, model: undefined, parents: [] };
  const grower = new Grower(below, depth);
  if (from !== undefined) {
    const meant = entries.filter(({ name, resource }) => name === from || resource === from).map(({ name }) => name);
    return (below.has(from) ? [from, ...meant.filter((name) => name !== from)] : meant).map((name) => grower.grow(find(name)));
  }
  const unlisted = [...below.keys()].filter((name) => !byName.has(name)).sort(nodesFirst);
  const orphans = sorted.filter(({ parents }) => parents.length === 0);
  const roots = [...unlisted.map(find), ...orphans].map((entry) => grower.grow(entry));
  for (const entry of sorted) if (!grower.isCovered(entry)) roots.push(grower.grow(entry));
  return roots;
}

/** Grows branches without recursion, since a chain can be as long as a model is large. */
class Grower {
  readonly #below: ReadonlyMap<string, readonly Entry[]>;
  readonly #depth: number;
  /** Shown, with everything below them. */
  readonly #expanded = new Set<string>();
  /** Shown, or left out as too deep. */
  readonly #covered = new Set<string>();

  constructor(below: ReadonlyMap<string, readonly Entry[]>, depth: number) {
    this.#below = below;
    this.#depth = depth;
  }

  isCovered({ name }: Entry): boolean {
    return this.#covered.has(name);
  }

  grow(root: Entry): Branch {
    const top = branchOf(root);
    const open: { branch: Branch; level: number }[] = [{ branch: top, level: 0 }];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const { branch, level } = next;
      const under = this.#below.get(branch.name) ?? [];
      this.#covered.add(branch.name);
      if (under.length === 0) continue;
      if (this.#expanded.has(branch.name)) {
        branch.is = 'above';
      } else if (level >= this.#depth) {
        branch.left = under.length;
        this.#coverAll(under);
      } else {
        this.#expanded.add(branch.name);
        branch.children = under.map(branchOf);
        // push in reverse, so that the first child is popped and grown first
        for (const child of branch.children.toReversed()) open.push({ branch: child, level: level + 1 });
      }
    }
    return top;
  }

  #coverAll(entries: readonly Entry[]): void {
    const open = [...entries];
    for (let entry = open.pop(); entry !== undefined; entry = open.pop()) {
      if (this.#covered.has(entry.name)) continue;
      this.#covered.add(entry.name);
      for (const child of this.#below.get(entry.name) ?? []) open.push(child);
    }
  }
}

function branchOf({ name, resource, model }: Entry): Branch {
  const isUnknown = resource === undefined && !name.startsWith(NODE);
  return {
    name,
    ...(resource === undefined ? {} : { resource }),
    ...(model === undefined ? {} : { model }),
    ...(isUnknown ? { is: 'unknown' as const } : {}),
    children: [],
  };
}

function inOrder(a: Entry, b: Entry): number {
  return compareText(a.resource ?? a.name, b.resource ?? b.name) || compareText(a.name, b.name);
}

function nodesFirst(a: string, b: string): number {
  return Number(b.startsWith(NODE)) - Number(a.startsWith(NODE)) || compareText(a, b);
}

/** The trees as lines. `owners`: shows each owner. `models`: shows a resource's model if it differs from the one above. */
export function treeLines(
  paint: Output['paint'],
  trees: readonly Tree[],
  { owners, models }: { owners: boolean; models: boolean },
): string[] {
  const lines: string[] = [];
  for (const { owner, roots } of trees) {
    if (owners) lines.push(paint('bold', escapeControls(owner)));
    const open: Drawn[] = [];
    const push = (branches: readonly Branch[], above: Omit<Drawn, 'branch' | 'arm'>, isArmed: boolean): void => {
      // reversed, so that the first one is popped first
      branches.toReversed().forEach((branch, index) => {
        open.push({ ...above, branch, arm: isArmed ? (index === 0 ? LAST : MIDDLE) : NO_ARM });
      });
    };
    push(roots, { indent: '', model: undefined }, owners);
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const { branch, indent, arm, model } = next;
      const isOther = models && branch.model !== undefined && branch.model !== model;
      lines.push(`${paint('dim', `${indent}${arm.branch}`)}${labelOf(paint, branch, isOther)}`);
      push(branch.children, { indent: `${indent}${arm.below}`, model: branch.model }, true);
    }
  }
  return lines;
}

interface Drawn {
  branch: Branch;
  indent: string;
  arm: { branch: string; below: string };
  /** The model of the branch above. */
  model: string | undefined;
}

const NO_ARM = { branch: '', below: '' };
const MIDDLE = { branch: '├─ ', below: '│  ' };
const LAST = { branch: '└─ ', below: '   ' };

function labelOf(paint: Output['paint'], { name, resource, model, is, left }: Branch, isOther: boolean): string {
  const remarks = [
    ...(isOther ? [`in ${model}`] : []),
    ...(is === 'above' ? ['see above'] : []),
    ...(is === 'unknown' ? ['not shown to you, or of another model'] : []),
    ...(left === undefined ? [] : [`${left} more below`]),
  ];
  const label = escapeControls(resource ?? name);
  const painted = resource === undefined && is !== 'unknown' ? paint('bold', label) : label;
  return remarks.length === 0 ? painted : `${painted} ${paint('dim', escapeControls(`(${remarks.join('; ')})`))}`;
}
