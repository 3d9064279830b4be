/** What the parts of service instances hand to one another, and what they need of the rest of the daemon. daemon.ts wires the ports. */
import type { AssemblyApp, ServiceWorkflow } from '../../../../protocol/definitions/assembly.ts';
import type { ModuleArchive, ModuleManifest, ModuleType } from '../../../../protocol/definitions/module.ts';
import type { LockFile, ServiceFile } from '../../../../protocol/definitions/service-file.ts';
import type { ErrorCode } from '../../../../protocol/errors.ts';
import type { DispatchRequestSpec } from '../../../../protocol/kinds/execution.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';
import type { Transaction } from '../../store/object-store.types.ts';

// --- files -------------------------------------------------------------------------------------------------------------------------------

/** A module as an instance has it. */
export interface ModuleCopy {
  name: string;
  version: string;
  manifest: ModuleManifest;
  archive: ModuleArchive;
  /** The archive packed, and its SHA-256. */
  bytes: Uint8Array;
  digest: string;
}

/** What stands in an instance's work tree (or in a commit), read and judged for itself. */
export interface ServiceFiles {
  service: ServiceFile;
  lock: LockFile;
  copies: ReadonlyMap<string, ModuleCopy>;
  /** `dtk.service.yaml:LINE:COLUMN` of a path such as `['components', 'web', 'properties', 'port']`: of the nearest that is there. */
  place(path: readonly (string | number)[]): string;
}

// --- violations --------------------------------------------------------------------------------------------------------------------------

/** Each with the words that people see in the table. */
export const VIOLATIONS = {
  PARSING_ERROR: 'cannot be read',
  REQUIRED_UNSET: 'required and not set',
  ILLEGAL_VALUE: 'not a value that it may have',
  TARGET_MISSING: 'the target, or what it should offer, is not there',
  TARGET_NOT_READY: 'the target is not converged',
  COMPONENT_CONSTRAINT: 'the type does not allow it',
  UNMET_DEPENDENCY: 'a link that the type requires is not there',
  UNKNOWN_COMPONENT: 'no such component',
  UNKNOWN_TYPE: 'no such type',
  MISSING_MODULE: 'a module that is used is not included',
  MODULE_INVALID: 'a module copy is not sound',
  DUPLICATE_TYPE: 'two modules define one type',
  DEPENDS_ON_ITSELF: 'depends on itself',
  NODE_LIMIT: 'there are not as many nodes',
  UNKNOWN_NODE: 'no such node',
  SECRET_MISSING: 'there is no such Secret',
  TOO_MANY: 'more than can be',
  NOT_ALLOWED: 'whoever asks may not',
} as const;
export type ViolationKind = keyof typeof VIOLATIONS;

export interface Violation {
  kind: ViolationKind;
  /** The component, resource, property, module or place that it is about: `web.port`, `dtk.service.yaml:12:5`. */
  where: string;
  message: string;
  next?: string | undefined;
}

// --- what is wanted ----------------------------------------------------------------------------------------------------------------------

/** One resource that a component comes to. Types are bare names (`WebServer`); those of the instance become `WebServer@shop` when they are written. */
export interface DesiredResource {
  name: string;
  component: string;
  type: string;
  node: string;
  /** Own values: what is written to the Resource. Defaults come from the type. */
  properties: Readonly<Record<string, unknown>>;
  /** Resources of the same instance that it is a child of. */
  parents: readonly string[];
  /** Resources of the same instance that have to be as they should be before it is brought up; those that need it are taken down before it. */
  needs: readonly string[];
  /** SHA-256 over all that decides whether it is as it was applied: type with the digests of its code, values, node, parents. */
  digest: string;
  /** Names of all commands that its type has and that can be asked for, inherited ones too: of these plans are made. */
  commands: readonly string[];
  /** Own properties whose values are not to be shown: names of Secrets, and what may be one by mistake. */
  secrets: readonly string[];
  /** Where it listens: the value of its property `port`, own or default, if that is a port. */
  port?: number | undefined;
}

export interface DesiredApp extends AssemblyApp {
  /** `INSTANCE-APP`, as its dtApp, Service and Endpoints are called. */
  name: string;
  node: string;
  endpoints: readonly { address: string; port: number }[];
}

/** All that an instance should come to. */
export interface Desired {
  resources: ReadonlyMap<string, DesiredResource>;
  apps: readonly DesiredApp[];
  /** Types of the copies by bare name, and which copy each is of. */
  types: ReadonlyMap<string, { type: ModuleType; copy: ModuleCopy }>;
  /** Of a target: what it offers. Secrets are names. */
  offers: Readonly<Record<string, unknown>>;
  /** Those of the offers that are names of Secrets: not to be shown. */
  secretOffers: readonly string[];
  workflows: Readonly<Record<string, ServiceWorkflow>>;
}

// --- what is applied ---------------------------------------------------------------------------------------------------------------------

/** What is known of a resource that was brought up, until it is taken down: one row of the store each. */
export interface AppliedResource {
  name: string;
  component: string;
  type: string;
  node: string;
  properties: Readonly<Record<string, unknown>>;
  parents: readonly string[];
  needs: readonly string[];
  /** Undefined: something was begun that did not end well, or is not known to have. */
  digest: string | undefined;
  /** It was brought up once (a `create` or `converge` ended well), and no `delete` of it was begun since: a change is followed by `converge`, else `create` is run. */
  created: boolean;
  /** These three as in the DesiredResource: plans to take it down, to check it and to run its commands are made from the row alone. */
  commands: readonly string[];
  secrets: readonly string[];
  port?: number | undefined;
  /** Commands that the `create` workflow runs after it was brought up, and that have not ended well yet: `due` of the step that did, less what was settled since. */
  due?: readonly string[] | undefined;
  commit: string;
  /** Milliseconds since the epoch. */
  at: number;
  /** From the last drift check. */
  check?: { ok: boolean; at: number; message?: string } | undefined;
}

// --- plan --------------------------------------------------------------------------------------------------------------------------------

/** One difference between two states of an instance's files, or between what is applied and what is wanted. Values of secrets are left out. */
export interface Difference {
  kind: 'component' | 'property' | 'parameter' | 'link' | 'app' | 'workflow' | 'module' | 'placement' | 'type' | 'offer' | 'service';
  what: string;
  op: 'added' | 'changed' | 'removed';
  before?: unknown;
  after?: unknown;
}

export type Act = 'create' | 'converge' | 'delete';

/** A step that runs one command of one resource, or stands for several. Numbers as in Task objects. */
export interface PlannedStep {
  number: string;
  title: string;
  /** Numbers of steps that have to have succeeded (or been skipped, with nothing to do) before it. Absent for groups. */
  after: readonly string[];
  work?:
    | {
        resource: string;
        node: string;
        /** Bare name; undefined: there is nothing to run, only to record. */
        command: string | undefined;
        /** `run`: a command of an action or a workflow that changes nothing of what is applied. */
        act: Act | 'run' | 'check';
        options: Readonly<Record<string, string>>;
        timeout?: string | undefined;
        retry?: { attempts: number; delayMs: number; backoff: number } | undefined;
        /** A failure of it counts as success of the step. */
        ignoreFailure?: boolean | undefined;
        /** Of a create or converge: what the row's `due` is when it has ended well. */
        due?: readonly string[] | undefined;
        /** Of a `run`: what is taken out of the row's `due` when it has ended well. */
        settles?: string | undefined;
      }
    | undefined;
}

export interface Plan {
  steps: readonly PlannedStep[];
  /** Commands at a time. */
  threads: number;
  /** Resources by what becomes of them; those of which nothing does are `unchanged`. */
  acts: ReadonlyMap<string, Act>;
  unchanged: number;
  differences: readonly Difference[];
}

// --- ports -------------------------------------------------------------------------------------------------------------------------------

/** A node as placement sees it. */
export interface PlacementNode {
  name: string;
  self: boolean;
  /** How others reach it, if that is known: the host of its announced or observed address. */
  address: string | undefined;
  object: ApiObject;
}

export interface PlacementNodes {
  /** Nodes of this node's domains, and itself: those on which something can be placed. */
  list(): Promise<PlacementNode[]>;
  /** Names of all members, and of this node: also of those that are suspended, or whose Node is not known here (yet). What they have is theirs to take down. */
  members(): Promise<ReadonlySet<string>>;
  /** Names of those that match a filter as `-I` takes it (`self`: this node), in the order of names. Errors: BAD_REQUEST that shows the place. */
  matching(filter: { include: string; exclude?: string | undefined }): Promise<string[]>;
}

/** Dispatch, as converging uses it. */
export interface Commands {
  /** Plans a command that is to be started soon. Errors: those of planning. */
  prepare(principal: Principal, request: DispatchRequestSpec): Promise<PreparedCommand>;
  /** `record` runs in the transaction that stores the Execution. Errors: those of planning. */
  start(principal: Principal, request: DispatchRequestSpec, record: (tx: Transaction, id: string) => void): Promise<StartedCommand>;
  /**
   * Resolves when all its parts have ended and that is stored, also for one that an earlier daemon started. `succeeded` may be called before: all have told that they
   * ended well. Errors: NOT_FOUND.
   */
  ended(principal: Principal, id: string, signal: AbortSignal, succeeded?: () => void): Promise<CommandEnd>;
  abort(principal: Principal, id: string): Promise<void>;
  /** The last lines of its output, for messages. */
  tail(principal: Principal, id: string): Promise<string>;
}

export interface PreparedCommand {
  /** As `Commands.start` for what was prepared: it is planned anew if something may have changed since. */
  start(record: (tx: Transaction, id: string) => void): Promise<StartedCommand>;
}

/** `nothing`: what it is to run on are resources of which there are none, and that is well. It is not kept, and nothing was recorded. */
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

/** Objects of this node and of others, written and deleted as somebody: each owner decides. */
export interface Objects {
  /** Creates, or changes what it says; `dryRun`: only tries. Errors: FORBIDDEN, INVALID, PEER_AWAY, … */
  apply(principal: Principal, node: string, object: Record<string, unknown>, options?: { dryRun?: boolean }): Promise<void>;
  /** Of a service instance: what bears the name and is not of it stays. Errors as above; what is gone already is no error. */
  remove(principal: Principal, node: string, what: { group: string; plural: string; name: string; instance: string }): Promise<void>;
}

/** Secrets of this node, by name. */
export interface SecretNames {
  has(name: string): Promise<boolean>;
}
