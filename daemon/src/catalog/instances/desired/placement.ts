/**
 * Places components on nodes. A resource stays where it is applied as long as that node is known and matches. A new one goes to
 * the node with the fewest resources placed so far, in the order of the file. Placement depends only on what comes earlier in the
 * file, so an interrupted converge, when resumed, places the rest as an undisturbed one would have.
 */
import { type Component, MAX_INSTANCE_RESOURCES } from '../../../../../protocol/definitions/assembly.ts';
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { AppliedResource, PlacementNodes } from '../instances.types.ts';
import type { Placed } from './component.ts';
import type { FilePath, Findings } from './findings.ts';
import { listed } from './findings.ts';
import { interpolate } from './interpolation.ts';
import { isKnown } from './outcome.ts';
import type { Scope } from './scope.ts';
import type { Target } from './target.ts';

/** The filter for this node, which has the service. */
const SELF = 'self';
/** Matches a filter that only names nodes. */
const NAMES = /^(?:name=)?([a-z0-9-]+(?:,[a-z0-9-]+)*)$/i;

export interface PlacementWorld {
  node: string;
  nodes: Pick<PlacementNodes, 'matching'>;
  applied: ReadonlyMap<string, AppliedResource>;
  /** Names of known nodes. */
  known: ReadonlySet<string>;
}

/** The parsed value of `on`. */
interface Wanted {
  include: string;
  exclude: string | undefined;
  count: number | 'all' | undefined;
  together: boolean;
}

export interface Placement {
  resources: Placed[];
  counted: boolean;
  placed: boolean;
}

export class Placing {
  readonly #world: PlacementWorld;
  readonly #scope: Scope;
  readonly #target: Target;
  readonly #findings: Findings;
  readonly #matched = new Map<string, Promise<string[] | DtkdError>>();
  /** Number of resources placed so far, by node; component of each name given so far. */
  readonly #load = new Map<string, number>();
  readonly #names = new Map<string, string>();

  constructor(world: PlacementWorld, scope: Scope, target: Target, findings: Findings) {
    this.#world = world;
    this.#scope = scope;
    this.#target = target;
    this.#findings = findings;
  }

  /** Call it for the components in the order of the file. */
  async place(name: string, component: Component): Promise<Placement> {
    const path: FilePath = ['components', name, 'on'];
    const counted = typeof component.on === 'object' && component.on.count !== undefined;
    const nowhere = { resources: [], counted, placed: false };
    const wanted = this.#wanted(component, path);
    if (wanted === undefined) return nowhere;
    if (wanted.count === 0) return { resources: [], counted, placed: true };
    const nodes = await this.#matching(wanted, path);
    if (nodes === undefined) return nowhere;
    const names = namesOf(name, wanted.count, nodes);
    if (!(await this.#enough(wanted, names.length, nodes, path))) return nowhere;
    if (this.#names.size + names.length > MAX_INSTANCE_RESOURCES) {
      this.#findings.add(
        'TOO_MANY',
        path,
        `the service would have more than ${MAX_INSTANCE_RESOURCES} resources`,
        'Lower the count, or divide it into several services.',
      );
      return nowhere;
    }
    if (!this.#name(name, names)) return nowhere;
    const resources =
      wanted.count === 'all'
        ? names.map((one, index) => ({ name: one, node: nodes[index] ?? '' }))
        : this.#spread(name, names, nodes, wanted.together);
    for (const { node } of resources) this.#load.set(node, (this.#load.get(node) ?? 0) + 1);
    return { resources, counted, placed: true };
  }

  #wanted({ on }: Component, path: FilePath): Wanted | undefined {
    const written = typeof on === 'string' ? { nodes: on } : (on ?? {});
    const at = typeof on === 'string' ? path : [...path, 'nodes'];
    const include = written.nodes === undefined ? this.#default(path) : this.#text(written.nodes, at);
    const exclude = written.except === undefined ? undefined : this.#text(written.except, [...path, 'except']);
    const count = this.#count(written.count, [...path, 'count']);
    if (include === undefined || (written.except !== undefined && exclude === undefined) || count === 'broken') return undefined;
    return { include, exclude, count, together: written.together ?? false };
  }

  /** The nodes that the target offers, otherwise this node. */
  #default(path: FilePath): string | undefined {
    const { view } = this.#target;
    if (view === 'gone') return undefined;
    const offered = view?.offers['nodes'];
    if (view === undefined || offered === undefined) return SELF;
    if (typeof offered === 'string' && offered !== '') return offered;
    this.#findings.add(
      'TARGET_MISSING',
      path,
      `the target ${view.name} offers nodes that are not a valid filter`,
      'Write under `on` where it should run, or correct the target.',
    );
    return undefined;
  }

  #text(written: string, path: FilePath): string | undefined {
    const outcome = interpolate(written, this.#scope.at(path));
    if (outcome === 'broken') return undefined;
    if (isKnown(outcome) && typeof outcome.value === 'string' && outcome.value !== '') return outcome.value;
    if (
      isKnown(outcome) &&
      Array.isArray(outcome.value) &&
      outcome.value.length > 0 &&
      outcome.value.every((item) => typeof item === 'string')
    ) {
      return outcome.value.join(',');
    }
    this.#findings.add('ILLEGAL_VALUE', path, 'expected a filter of nodes, such as tags=web, name=node1,node2 or self');
    return undefined;
  }

  #count(written: string | number | undefined, path: FilePath): number | 'all' | undefined | 'broken' {
    if (written === undefined) return undefined;
    const outcome = interpolate(written, this.#scope.at(path));
    if (!isKnown(outcome)) {
      if (outcome === 'unset') this.#findings.add('REQUIRED_UNSET', path, `refers to ${String(written)}, which has no value`);
      return 'broken';
    }
    const { value } = outcome;
    const count = typeof value === 'string' && /^[0-9]{1,9}$/.test(value) ? Number(value) : value;
    if (count === 'all') return 'all';
    if (typeof count !== 'number' || !Number.isInteger(count) || count < 0) {
      this.#findings.add('ILLEGAL_VALUE', path, 'expected a whole number, or all');
      return 'broken';
    }
    if (count > MAX_INSTANCE_RESOURCES) {
      this.#findings.add('TOO_MANY', path, `a service has at most ${MAX_INSTANCE_RESOURCES} resources, and this would be ${count}`);
      return 'broken';
    }
    return count;
  }

  async #matching({ include, exclude }: Wanted, path: FilePath): Promise<string[] | undefined> {
    const { node, nodes, known } = this.#world;
    if (include === SELF && exclude === undefined) return [node];
    const id = JSON.stringify([include, exclude]);
    const asked = this.#matched.get(id) ?? nodes.matching({ include, exclude }).catch(refusalOf);
    this.#matched.set(id, asked);
    const found = await asked;
    if (found instanceof DtkdError) {
      this.#findings.add('ILLEGAL_VALUE', path, found.message, found.next);
      return undefined;
    }
    return found.filter((one) => known.has(one)).sort();
  }

  async #enough({ include, count, together }: Wanted, names: number, nodes: readonly string[], path: FilePath): Promise<boolean> {
    const needed = count === 'all' || together ? 1 : names;
    if (nodes.length >= needed) return true;
    const unknown = (NAMES.exec(include)?.[1]?.split(',') ?? []).filter((one) => one !== SELF && !this.#world.known.has(one.toLowerCase()));
    const [first] = unknown;
    if (first !== undefined) {
      this.#findings.add(
        'UNKNOWN_NODE',
        path,
        `no node is known with the name ${listed(unknown)}`,
        '"dtkd get nodes" lists the known nodes.',
      );
      return false;
    }
    const message =
      nodes.length === 0
        ? `no node matches "${include}"`
        : `it is to be on ${needed} nodes, and ${nodes.length === 1 ? 'only one matches' : `only ${nodes.length} match`} "${include}": ${listed(nodes)}`;
    const next =
      nodes.length === 0
        ? 'Tag a node, or widen the filter.'
        : 'Lower the count, tag more nodes, widen the filter, or allow several on one node with together: true.';
    this.#findings.add('NODE_LIMIT', path, message, next);
    return false;
  }

  /** Reserves names, unless another component has one of them. */
  #name(component: string, names: readonly string[]): boolean {
    const taken = names.find((name) => this.#names.has(name));
    if (taken !== undefined) {
      const other = this.#names.get(taken) ?? '';
      this.#findings.add(
        'ILLEGAL_VALUE',
        ['components', component],
        `it and ${other} would both have a resource ${taken}`,
        'Rename one of the components.',
      );
      return false;
    }
    for (const name of names) this.#names.set(name, component);
    return true;
  }

  #spread(component: string, names: readonly string[], nodes: readonly string[], together: boolean): Placed[] {
    const matching = new Set(nodes);
    const taken = new Set<string>();
    const stays = new Map<string, string>();
    for (const name of names) {
      const row = this.#world.applied.get(name);
      if (row === undefined || row.component !== component || !matching.has(row.node) || (!together && taken.has(row.node))) continue;
      stays.set(name, row.node);
      taken.add(row.node);
    }
    const here = new Map<string, number>();
    return names.map((name) => {
      const node = stays.get(name) ?? this.#emptiest(nodes, (one) => (together ? (here.get(one) ?? 0) : 0), together ? undefined : taken);
      taken.add(node);
      here.set(node, (here.get(node) ?? 0) + 1);
      return { name, node };
    });
  }

  /** The node with the fewest resources. Of several, the first by name: `nodes` is sorted. */
  #emptiest(nodes: readonly string[], more: (node: string) => number, without: ReadonlySet<string> | undefined): string {
    let best = '';
    let least = Number.POSITIVE_INFINITY;
    for (const node of nodes) {
      if (without?.has(node)) continue;
      const load = (this.#load.get(node) ?? 0) + more(node);
      if (load >= least) continue;
      best = node;
      least = load;
    }
    return best;
  }
}

function namesOf(component: string, count: number | 'all' | undefined, nodes: readonly string[]): string[] {
  if (count === undefined) return [component];
  if (count === 'all') return nodes.map((node) => `${component}-${node}`);
  return Array.from({ length: count }, (_, index) => `${component}-${index + 1}`);
}

function refusalOf(error: unknown): DtkdError {
  if (error instanceof DtkdError && (error.code === 'BAD_REQUEST' || error.code === 'INVALID')) return error;
  throw error;
}
