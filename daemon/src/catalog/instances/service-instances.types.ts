/** What service instances as one part take, and what they offer to the API. daemon.ts wires both. */
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { FollowLine } from '../../../../protocol/requests/follow.ts';
import type { CapabilityVerb } from '../../../../protocol/rights/capability.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';
import type { Logger } from '../../logging/logger.types.ts';
import type { ObjectStore } from '../../store/object-store.types.ts';
import type { Decide, DecideMove, ModelHandler } from '../model/ports.ts';
import type { CopyPublishing, ModuleLibrary, ModuleResolving, ModuleVersions } from '../modules/ports.ts';
import type { Commands, Objects, PlacementNodes, SecretNames } from './instances.types.ts';

/** Output of executions, as `Executions.follow` gives it. */
export interface CommandOutput {
  /** Lines from the beginning, until it has ended. Errors: NOT_FOUND also for what the principal may not READ. */
  follow(principal: Principal, id: string, options: { signal: AbortSignal }): Promise<AsyncIterable<FollowLine>>;
}

/** Apps as this node shows them. */
export interface AppAddresses {
  /** The URI of an app of a node through this node's ingress: of the app itself, or of the copy that is here. Undefined: not known (yet). */
  uri(node: string, name: string): Promise<string | undefined>;
}

export interface ServiceInstancesOptions {
  store: ObjectStore;
  /** This node's name, and its signing key (64 hex digits). */
  node: { name: string; signingKey: string };
  /** Where the repositories are: DATA/instances. Made if it is not there. */
  directory: string;
  decide: Decide;
  decideMove: DecideMove;
  modules: ModuleLibrary & ModuleResolving & ModuleVersions & CopyPublishing;
  commands: Commands;
  output: CommandOutput;
  nodes: PlacementNodes;
  /** Of this node and of others: Services, Endpoints and dtApps are written with it. */
  objects: Objects;
  secrets: SecretNames;
  apps: AppAddresses;
  logger: Logger;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

/** A request to a subresource or a daemon-wide action, as the API reads it. */
export interface InstanceRequest {
  principal: Principal;
  name: string;
  rest: readonly string[];
  method: 'GET' | 'POST' | 'DELETE';
  query: URLSearchParams;
  body: unknown;
  object?: ApiObject;
  signal: AbortSignal;
}

/** Answers with a JSON value, or streams JSON lines. */
export interface InstanceAction {
  (request: InstanceRequest): Promise<unknown>;
  maxBodyBytes?: number;
  verb?: CapabilityVerb;
  open?: 'user' | 'anybody';
}

export interface ServiceInstances {
  /** By `group/plural`. */
  handlers: ReadonlyMap<string, ModelHandler>;
  /** By `group/plural/subresource`. */
  subresources: ReadonlyMap<string, InstanceAction>;
  /** Daemon-wide, by name: `stage`. */
  actions: ReadonlyMap<string, InstanceAction>;
  /** Their repositories, for who reads them as they are: nothing else is done with one meanwhile. */
  repositories: { names(): Promise<string[]>; alone<T>(name: string, work: (directory: string) => Promise<T>): Promise<T> };
  /** Settles what an earlier daemon left: to be called once dispatch has taken up its executions. */
  start(): Promise<void>;
  /** Starts no more commands, and lets go of those that run: they go on, and so does the next daemon. */
  stop(): Promise<void>;
}
