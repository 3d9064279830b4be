/** What expanding an instance's files needs from outside, and what it yields. Read only. */
import type { Kind } from '../../../../../protocol/kinds/kind.ts';
import type { InstancePhase } from '../../../../../protocol/kinds/service-instance.ts';
import type { Plural } from '../../model/objects.ts';
import type { NamedType } from '../../model/resolved-type.ts';
import type { AppliedResource, Desired, PlacementNodes, SecretNames, Violation } from '../instances.types.ts';

/** Another service instance of this node as a target, from its files at the applied commit. */
export interface TargetView {
  name: string;
  /** False: an ordinary service, which cannot be a target. */
  isTarget: boolean;
  /** The kind of target. */
  kind: string | undefined;
  phase: InstancePhase;
  /** Its `Desired.offers`, and the names of those whose values must not be shown. */
  offers: Readonly<Record<string, unknown>>;
  secretOffers: readonly string[];
}

/** Another service instance of this node, to whose components links lead. */
export interface ServiceView {
  name: string;
  phase: InstancePhase;
  resources: readonly ServiceResource[];
}

/** An applied resource of another instance. */
export interface ServiceResource {
  name: string;
  component: string;
  node: string;
  /** Its type and all supertypes, bare names, nearest first. */
  types: readonly string[];
  /** Own values and defaults. */
  properties: Readonly<Record<string, unknown>>;
  /** Properties whose values must not be shown. */
  secrets: readonly string[];
}

/** Everything that expansion reads besides the files. */
export interface World {
  /** This node's name. */
  node: string;
  nodes: Pick<PlacementNodes, 'list' | 'matching'>;
  /** The instance's own rows, by resource name. */
  applied: ReadonlyMap<string, AppliedResource>;
  /** Undefined: there is no such instance, or the asker may not see it. */
  target(name: string): Promise<TargetView | undefined>;
  service(name: string): Promise<ServiceView | undefined>;
  secrets: SecretNames;
  /** True if an object of this name exists that does not belong to the instance. */
  isTaken(instance: string, plural: Plural, name: string): Promise<boolean>;
  /** The same for the objects of an app on its node. For other nodes, as far as they have published them. */
  isAppTaken(instance: string, kind: Kind, app: { node: string; name: string }): Promise<boolean>;
  /** Types that every node has, for names that the copies do not define. */
  builtins: readonly NamedType[];
}

/** With violations, `desired` is what could be worked out: it may be shown, but never applied. */
export interface Expanded {
  desired: Desired;
  violations: Violation[];
}
