/** Turns nodes and deployments into targets. Pure. */
import { DtkdError } from '../../../../protocol/errors.ts';
import { maintenanceOf } from '../../../../protocol/kinds/node.ts';
import type { BundledResource } from '../../../../protocol/orders/bundle.ts';
import type { NodeView } from '../dispatch.types.ts';
import type { ChosenNodes, PlannedPart, Reached } from './plan.types.ts';
import { some } from './some.ts';

export interface Self {
  name: string;
  signingKey: string;
}

/** How to reach a node; undefined if it is neither this node nor a member. */
export function reached(view: NodeView, self: Self): Reached | undefined {
  if (view.self) return { node: view.node, self: true, key: self.signingKey, domain: '', starter: self.signingKey };
  const { member } = view;
  if (member === undefined) return undefined;
  return { node: view.node, self: false, key: member.key, domain: member.domain, starter: member.selfKey };
}

/** Why a node is skipped: it is in maintenance. Undefined for this node itself: what it starts runs there during maintenance, too. */
export function skipOf(view: NodeView): PlannedPart['skip'] {
  if (view.self) return undefined;
  const maintenance = maintenanceOf(view.object);
  if (maintenance === undefined) return undefined;
  const { reason } = maintenance;
  return { code: 'MAINTENANCE', reason: `${view.node} is in maintenance${reason === undefined ? '' : `: ${reason}`}` };
}

/** Where a resource is deployed: nodes known here, and names that are unknown here. */
export interface Deployed {
  views: NodeView[];
  unknown: string[];
}

/** Nodes by the key or name by which deployments refer to them. */
export interface NodeIndex {
  /** Several nodes may claim one key: a machine in two domains, or an impostor. */
  byKey: ReadonlyMap<string, readonly NodeView[]>;
  byName: ReadonlyMap<string, NodeView>;
}

export function indexOf(nodes: readonly NodeView[]): NodeIndex {
  const byKey = new Map<string, NodeView[]>();
  for (const view of nodes) {
    if (view.signingKey === undefined) continue;
    const same = byKey.get(view.signingKey) ?? [];
    byKey.set(view.signingKey, same);
    same.push(view);
  }
  return {
    byKey,
    byName: new Map(nodes.map((view) => [view.node, view])),
  };
}

/**
 * The nodes on which a resource is deployed. The owner names them by signing key; a bare name means something only at the owner, so it
 * counts only if this node owns the resource. A Node states its key itself: of several with one key this node is taken if it is among
 * them, else the one with the name that the owner uses, else none.
 */
export function deployedOn(resource: BundledResource, { byKey, byName }: NodeIndex, own: boolean): Deployed {
  const views = new Set<NodeView>();
  const unknown: string[] = [];
  for (const { node, signingKey } of resource.deployments) {
    const claiming = (signingKey === undefined ? undefined : byKey.get(signingKey)) ?? [];
    const view =
      claiming.length > 1
        ? (claiming.find(({ self }) => self) ?? claiming.find((one) => one.node === node))
        : (claiming[0] ?? (own ? byName.get(node) : undefined));
    if (view === undefined) unknown.push(node);
    else views.add(view);
  }
  return { views: [...views], unknown };
}

/** Nodes by name, with numbers in natural order; this node first, since it needs no connection. */
export function inOrder(views: Iterable<NodeView>): NodeView[] {
  return [...views].sort((a, b) => Number(b.self) - Number(a.self) || compareNames(a.node, b.node));
}

const collator = new Intl.Collator('en', { numeric: true });

function compareNames(a: string, b: string): number {
  return collator.compare(a, b) || (a < b ? -1 : 1);
}

/** The error for a resource without targets: deployed nowhere, not on this node, or not where the filter goes. */
export function noTarget(what: string, { views, unknown }: Deployed, { all, chosen, filtered, text }: ChosenNodes): DtkdError {
  const names = inOrder(views).map(({ node }) => node);
  const details = { deployedOn: names, unknown };
  if (names.length === 0 && unknown.length === 0) {
    return new DtkdError('NOT_DEPLOYED', `${what} is not deployed on any node`, {
      next: 'Deploy it: make it a child of node/NAME (spec.parents).',
      details,
    });
  }
  if (names.length === 0) {
    return new DtkdError('NOT_DEPLOYED', `${what} is deployed on ${some(unknown)}, which is not known here`, {
      next: 'Look at the names with "dtkd get nodes": a deployment names a node as it is called at the owner of the model. "dtkd domain show" lists suspended members.',
      details,
    });
  }
  if (!filtered) {
    return new DtkdError('NOT_DEPLOYED', `${what} is not deployed on this node; it is on ${some(names)}`, {
      next: "Choose nodes with a filter, such as -I '.*' (ctl) or --on '.*' (run).",
      details,
    });
  }
  return new DtkdError(
    'NO_MATCH',
    `${text} matches ${chosen.size} of ${all.length} nodes, but none of those on which ${what} is deployed: ${some(names)}`,
    { next: 'Change the filter, or add --allow-empty if it is fine that nothing runs.', details },
  );
}
