/** Types that the parts of service instances share, and the ports that they need of the rest of the daemon. daemon.ts wires the ports. */
import type { AssemblyApp, ServiceWorkflow } from '../../../../protocol/definitions/assembly.ts';
import type { ModuleArchive, ModuleManifest, ModuleType } from '../../../../protocol/definitions/module.ts';
import type { LockFile, ServiceFile } from '../../../../protocol/definitions/service-file.ts';
import type { ErrorCode } from '../../../../protocol/errors.ts';
import type { DispatchRequestSpec } from '../../../../protocol/kinds/execution.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';
import type { Transaction } from '../../store/object-store.types.ts';

// --- files -------------------------------------------------------------------------------------------------------------------------------

/** A module's copy inside an instance. */
export interface ModuleCopy {
  name: string;
  version: string;
  manifest: ModuleManifest;
  archive: ModuleArchive;
  /** The packed archive, and its SHA-256. */
  bytes: Uint8Array;
  digest: string;
}

/** The files of an instance's work tree or of a commit, parsed and checked on their own. */
export interface ServiceFiles {
  service: ServiceFile;
  lock: LockFile;
  copies: ReadonlyMap<string, ModuleCopy>;
  /**
   * `dtk.service.yaml:LINE:COLUMN` of a path such as `['components', 'web', 'properties', 'port']`, or of its nearest ancestor
   * that is in the file.
   */
  place(path: readonly (string | number)[]): string;
}

// --- violations --------------------------------------------------------------------------------------------------------------------------

/** The kinds of violation, each with the words that the table shows for it. */
export const VIOLATIONS = {
  PARSING_ERROR: 'cannot be read',
  REQUIRED_UNSET: 'required and not set',
  ILLEGAL_VALUE: 'not an allowed value',
  TARGET_MISSING: 'the target, or what it should offer, is not there',
  TARGET_NOT_READY: 'the target is not converged',
  COMPONENT_CONSTRAINT: 'the type does not allow it',
  UNMET_DEPENDENCY: 'a link that the type requires is missing',
  UNKNOWN_COMPONENT: 'no such component',
  UNKNOWN_TYPE: 'no such type',
  MISSING_MODULE: 'a module that is used is not included',
  MODULE_INVALID: 'a module copy is not valid',
  DUPLICATE_TYPE: 'two modules define one type',
  DEPENDS_ON_ITSELF: 'depends on itself',
  NODE_LIMIT: 'there are not enough nodes',
  UNKNOWN_NODE: 'no such node',
  SECRET_MISSING: 'there is no such Secret',
  TOO_MANY: 'more than allowed',
  NOT_ALLOWED: 'the user has no right to do this',
} as const;
export type ViolationKind = keyof typeof VIOLATIONS;

export interface Violation {
  kind: ViolationKind;
  /** The component, resource, property, module or place at fault: `web.port`, `dtk.service.yaml:12:5`. */
  where: string;
  message: string;
  next?: string | undefined;
}

// --- what is wanted ----------------------------------------------------------------------------------------------------------------------

/**
 * One resource of a component. Types are bare names (`WebServer`); those that the instance's copies define are written as
 * `WebServer@shop`.
 */
export interface DesiredResource {
  name: string;
  component: string;
  type: string;
  node: string;
  /** Own values, as written to the Resource. Defaults come from the type. */
  properties: Readonly<Record<string, unknown>>;
  /** Parent resources, of the same instance. */
  parents: readonly string[];
  /** Resources of the same instance that must be up to date before this one is brought up. This one is taken down before they are. */
  needs: readonly string[];
  /**
   * SHA-256 over everything that decides whether the applied resource is current: type with the digests of its code, values,
   * node, parents.
   */
  digest: string;
  /** Names of all commands of its type that can be requested, inherited ones included. Plans are made from these. */
  commands: readonly string[];
  /** Own properties whose values must not be shown: names of Secrets, and values that may be secrets by mistake. */
  secrets: readonly string[];
  /** The port that it listens on: the value of its property `port`, own or default, if that property is of type port. */
  port?: number | undefined;
}

export interface DesiredApp extends AssemblyApp {
  /** `INSTANCE-APP`: the name of its dtApp, Service and Endpoints. */
  name: string;
  node: string;
  endpoints: readonly { address: string; port: number }[];
}

/** Everything that an instance should consist of. */
export interface Desired {
  resources: ReadonlyMap<string, DesiredResource>;
  apps: readonly DesiredApp[];
  /** Types that the copies define, by bare name, each with its copy. */
  types: ReadonlyMap<string, { type: ModuleType; copy: ModuleCopy }>;
  /** What a target offers. Secrets are given by name. */
  offers: Readonly<Record<string, unknown>>;
  /** The offers whose values are names of Secrets, which must not be shown. */
  secretOffers: readonly string[];
  workflows: Readonly<Record<string, ServiceWorkflow>>;
}

// --- what is applied ---------------------------------------------------------------------------------------------------------------------

/** What is known of a resource from when it is first begun until it is taken down: one row of the store each. */
export interface AppliedResource {
  name: string;
  component: string;
  type: string;
  node: string;
  properties: Readonly<Record<string, unknown>>;
  parents: readonly string[];
  needs: readonly string[];
  /** Undefined: a command was started that did not end well, or whose end is not known. */
  digest: string | undefined;
  /** A `create` or `converge` of it has ended well, and no `delete` was begun since. A change then runs `converge`, otherwise `create`. */
  created: boolean;
  /** These three are as in DesiredResource: plans that take it down, check it or run its commands are made from the row alone. */
  commands: readonly string[];
  secrets: readonly string[];
  port?: number | undefined;
  /**
   * Commands that the `create` workflow runs after the resource was brought up and that have not ended well yet: `due` of the
   * step that brought it up, less what was settled since.
   */
  due?: readonly string[] | undefined;
  commit: string;
  /** Milliseconds since the epoch. */
  at: number;
  /** Result of the last drift check. */
  check?: { ok: boolean; at: number; message?: string } | undefined;
}

// --- plan --------------------------------------------------------------------------------------------------------------------------------

/**
 * One difference between two states of an instance's files, or between what is applied and what is wanted. Values of secrets are
 * left out.
 */
export interface Difference {
  kind: 'component' | 'property' | 'parameter' | 'link' | 'app' | 'workflow' | 'module' | 'placement' | 'type' | 'offer' | 'service';
  what: string;
  op: 'added' | 'changed' | 'removed';
  before?: unknown;
  after?: unknown;
}

export type Act = 'create' | 'converge' | 'delete';

/** A step that runs one command of one resource, or a group of steps. Numbered as in Task objects. */
export interface PlannedStep {
  number: string;
  title: string;
  /** Numbers of the steps that must succeed before this one. Empty for groups. */
  after: readonly string[];
  work?:
    | {
        resource: string;
        node: string;
        /** Bare name. Undefined: nothing is run, the step only records. */
        command: string | undefined;
        /** `run`: a command of an action or a workflow that does not change what is applied. */
        act: Act | 'run' | 'check';
        options: Readonly<Record<string, string>>;
        timeout?: string | undefined;
        retry?: { attempts: number; delayMs: number; backoff: number } | undefined;
        /** The step succeeds even if the command fails. */
        ignoreFailure?: boolean | undefined;
        /** For create and converge: the row's `due` once the command has ended well. */
        due?: readonly string[] | undefined;
        /** For `run`: the command to remove from the row's `due` once it has ended well. */
        settles?: string | undefined;
      }
    | undefined;
}

export interface Plan {
  steps: readonly PlannedStep[];
  /** How many commands run at a time. */
  threads: number;
  /** What is done with each resource, by name. Resources with nothing to do are counted in `unchanged`. */
  acts: ReadonlyMap<string, Act>;
  unchanged: number;
  differences: readonly Difference[];
}

// --- ports -------------------------------------------------------------------------------------------------------------------------------

/** A node as placement sees it. */
export interface PlacementNode {
  name: string;
  self: boolean;
  /** How others reach it, if known: the host of its announced or observed address. */
  address: string | undefined;
  object: ApiObject;
}

export interface PlacementNodes {
  /** This node and the nodes of its domains: those on which something can be placed. */
  list(): Promise<PlacementNode[]>;
  /**
   * Names of this node and of all members, including those that are suspended or whose Node is not known here yet: resources
   * there are still to be taken down there.
   */
  members(): Promise<ReadonlySet<string>>;
  /**
   * Names of the nodes that match a filter in the syntax of `-I` (`self`: this node), sorted. Errors: BAD_REQUEST, showing the
   * place of the fault.
   */
  matching(filter: { include: string; exclude?: string | undefined }): Promise<string[]>;
}

/** The part of dispatch that converging uses. */
export interface Commands {
  /** Plans a command that will be started soon. Errors: those of planning. */
  prepare(principal: Principal, request: DispatchRequestSpec): Promise<PreparedCommand>;
  /** Starts a command. `record` runs in the transaction that stores the Execution. Errors: those of planning. */
  start(principal: Principal, request: DispatchRequestSpec, record: (tx: Transaction, id: string) => void): Promise<StartedCommand>;
  /**
   * Resolves once all parts of the execution have ended and that is stored, including for executions that an earlier daemon
   * started. `succeeded` may be called earlier, once all parts have reported success. Errors: NOT_FOUND.
   */
  ended(principal: Principal, id: string, signal: AbortSignal, succeeded?: () => void): Promise<CommandEnd>;
  abort(principal: Principal, id: string): Promise<void>;
  /** The last lines of the execution's output, for messages. */
  tail(principal: Principal, id: string): Promise<string>;
}

export interface PreparedCommand {
  /** As `Commands.start`, for the prepared command. Plans anew if something may have changed since. */
  start(record: (tx: Transaction, id: string) => void): Promise<StartedCommand>;
}

/**
 * `nothing`: the command dispatches over resources and there are none, which counts as success. Neither an Execution nor anything
 * of `record` is kept.
 */
export interface StartedCommand {
  id: string;
  nothing?: boolean;
}

export interface CommandEnd {
  outcome: 'succeeded' | 'failed' | 'refused' | 'unreachable' | 'skipped' | 'unknown';
  exitStatus?: number | undefined;
  code?: ErrorCode | string | undefined;
  reason?: string | undefined;
}

/** Writes and deletes objects of this node and of others on behalf of a principal. Each owner decides. */
export interface Objects {
  /** Creates the object, or updates the fields that are given. `dryRun` only tries. Errors: FORBIDDEN, INVALID, PEER_AWAY, … */
  apply(principal: Principal, node: string, object: Record<string, unknown>, options?: { dryRun?: boolean }): Promise<void>;
  /**
   * Deletes an object of a service instance. An object of that name that does not belong to `instance` stays. Errors as above; no
   * error if it is gone already.
   */
  remove(principal: Principal, node: string, what: { group: string; plural: string; name: string; instance: string }): Promise<void>;
}

/** Secrets of this node, by name. */
export interface SecretNames {
  has(name: string): Promise<boolean>;
}
