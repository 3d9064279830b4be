/** What the service instances part needs, and what it offers to the API. daemon.ts wires both. */
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { FollowLine } from '../../../../protocol/requests/follow.ts';
import type { CapabilityVerb } from '../../../../protocol/rights/capability.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';
import type { Logger } from '../../logging/logger.types.ts';
import type { ObjectStore } from '../../store/object-store.types.ts';
import type { Decide, DecideMove, ModelHandler } from '../model/ports.ts';
import type { CopyPublishing, ModuleLibrary, ModuleResolving, ModuleVersions } from '../modules/ports.ts';
import type { Commands, Objects, PlacementNodes, SecretNames } from './instances.types.ts';

/** Output of executions, as `Executions.follow` streams it. */
export interface CommandOutput {
  /** Streams lines from the beginning until the execution ends. Errors: NOT_FOUND, also where the principal may not READ it. */
  follow(principal: Principal, id: string, options: { signal: AbortSignal }): Promise<AsyncIterable<FollowLine>>;
}

/** Addresses of apps at this node. */
export interface AppAddresses {
  /** The URI through this node's ingress of an app of `node`: of the app itself, or of its copy here. Undefined: not known, or not yet. */
  uri(node: string, name: string): Promise<string | undefined>;
}

export interface ServiceInstancesOptions {
  store: ObjectStore;
  /** This node's name, and its signing key (64 hex digits). */
  node: { name: string; signingKey: string };
  /** Directory of the repositories: DATA/instances. Created if missing. */
  directory: string;
  decide: Decide;
  decideMove: DecideMove;
  modules: ModuleLibrary & ModuleResolving & ModuleVersions & CopyPublishing;
  commands: Commands;
  output: CommandOutput;
  nodes: PlacementNodes;
  /** Objects of this node and of others, used to write Services, Endpoints and dtApps. */
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
  /** Handlers of kinds, by `group/plural`. */
  handlers: ReadonlyMap<string, ModelHandler>;
  /** Subresources, by `group/plural/subresource`. */
  subresources: ReadonlyMap<string, InstanceAction>;
  /** Daemon-wide actions, by name: `stage`. */
  actions: ReadonlyMap<string, InstanceAction>;
  /** The repositories, for readers of the raw files. `alone` keeps everything else away from a repository while `work` runs. */
  repositories: { names(): Promise<string[]>; alone<T>(name: string, work: (directory: string) => Promise<T>): Promise<T> };
  /** Settles what an earlier daemon left unfinished. Call it once dispatch has taken up its executions. */
  start(): Promise<void>;
  /** Starts no more commands and stops following those that run. They keep running, and the next daemon takes them up. */
  stop(): Promise<void>;
}
