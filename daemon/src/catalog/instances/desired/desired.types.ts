/** What expanding an instance's files needs of the world, and what comes of it. All of it is read; nothing here changes anything. */
import type { Kind } from '../../../../../protocol/kinds/kind.ts';
import type { InstancePhase } from '../../../../../protocol/kinds/service-instance.ts';
import type { Plural } from '../../model/objects.ts';
import type { NamedType } from '../../model/resolved-type.ts';
import type { AppliedResource, Desired, PlacementNodes, SecretNames, Violation } from '../instances.types.ts';

/** Another service instance of this node as a target: what stands in its files at the commit that is applied. */
export interface TargetView {
  name: string;
  /** False: an ordinary service, which cannot be a target. */
  isTarget: boolean;
  /** What kind of target it is. */
  kind: string | undefined;
  phase: InstancePhase;
  /** `Desired.offers` of it, and those of them whose values are not to be shown. */
  offers: Readonly<Record<string, unknown>>;
  secretOffers: readonly string[];
}

/** Another service instance of this node, to whose components links lead. */
export interface ServiceView {
  name: string;
  phase: InstancePhase;
  resources: readonly ServiceResource[];
}

/** A resource of another instance as it is applied. */
export interface ServiceResource {
  name: string;
  component: string;
  node: string;
  /** Its type and all supertypes, bare names, nearest first. */
  types: readonly string[];
  /** Own values and defaults. */
  properties: Readonly<Record<string, unknown>>;
  /** Those whose values are not to be shown. */
  secrets: readonly string[];
}

/** All that expansion asks beyond the files. */
export interface World {
  /** This node's name. */
  node: string;
  nodes: Pick<PlacementNodes, 'list' | 'matching'>;
  /** The instance's own rows, by the names of resources. */
  applied: ReadonlyMap<string, AppliedResource>;
  /** Undefined: there is no such instance. */
  target(name: string): Promise<TargetView | undefined>;
  service(name: string): Promise<ServiceView | undefined>;
  secrets: SecretNames;
  /** True if there is an object of this name that is none of the instance's. */
  isTaken(instance: string, plural: Plural, name: string): Promise<boolean>;
  /** The same of what an app is made of, on the node that is to have it: of other nodes, as far as they have published it. */
  isAppTaken(instance: string, kind: Kind, app: { node: string; name: string }): Promise<boolean>;
  /** Types that every node has, for names that the copies do not define. */
  builtins: readonly NamedType[];
}

/** With violations `desired` is what could be made out: to be shown, never to be applied. */
export interface Expanded {
  desired: Desired;
  violations: Violation[];
}
