/** What the target of orders needs, and what it offers to the stream server, to holding, to this node's own starter and to the models. */
import type { PolicySpec } from '../../../../protocol/kinds/policy.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { ExecutionId } from '../../../../protocol/orders/order.ts';
import type { Outcome, Part } from '../../../../protocol/orders/outcome.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';
import type { Logger } from '../../logging/logger.types.ts';
import type { ObjectStore } from '../../store/object-store.types.ts';
import type { AuditPort, Content, DispatchAccess, Member, Members, Modules, ResourceMatch, SecretValues } from '../dispatch.types.ts';
import type { Runner, Spools } from '../runner/runner.types.ts';

export interface TargetOptions {
  store: ObjectStore;
  /** This node's name, and its signing key (64 hex digits), by which deployments refer to it. */
  node: { name: string; signingKey: string };
  /** The data directory; `resources/` and `dispatch/` are created in it. */
  directory: string;
  members: Members;
  access: DispatchAccess;
  audit: AuditPort;
  policy: PolicyReader;
  modules: Modules;
  content: Content;
  runner: Runner;
  spools: Spools;
  secrets: SecretValues;
  /** This node's own Node object, for maintenance. */
  nodeObject(): Promise<ApiObject | undefined>;
  /** The executions that this node itself started, asked about parts that it does not know as a target. Absent: it starts none. */
  started?(): StartedParts | undefined;
  /** The daemon's environment, of which the policy lets commands see some variables. */
  environment: Readonly<Record<string, string | undefined>>;
  logger: Logger;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** What this node as a starter knows of parts elsewhere. Shows only what a principal may READ. */
export interface StartedParts {
  find(principal: Principal, idStart: string): Promise<{ header: Uint8Array; handles: PartHandle[] } | undefined>;
  /** Errors: NOT_FOUND. */
  attach(principal: Principal, id: ExecutionId, index: number): Promise<PartHandle>;
  /** Ends parts, telling their targets. Errors: NOT_FOUND, FORBIDDEN. */
  abort?(principal: Principal, id: ExecutionId, index?: number): Promise<Part[]>;
}

/**
 * Fetches the bundle of an order that came without it because it is large. Not called for orders that are known, late, or not for a
 * command.
 */
export type FetchBundle = () => Promise<Uint8Array>;

/**
 * Who brings an order: this node's own starter for one of its principals, or a member, whose key is that of the connection or proved by a
 * signature.
 */
export type OrderSource =
  | { type: 'self'; principal: Principal }
  | { type: 'member'; member: Member; user: { name: string; uid: string } | undefined };

/** An order that is ready to start on a word. */
export interface PreparedOrder {
  /**
   * Starts the order, after deciding again as for a new one. Errors: as `accept`; UNAVAILABLE if it was dropped: it has to be brought
   * again.
   */
  go(): Promise<PartHandle>;
  /** Drops the order as if it had never come. Does not stop one that has started. Never rejects. */
  leave(): Promise<void>;
}

/** One part at this target: its state, and its output. */
export interface PartHandle {
  readonly id: ExecutionId;
  readonly index: number;
  /** The order as it came (CBOR). Only at the target itself, or where the starter can show it. */
  readonly order?: Uint8Array;
  /** The present state. Only durable states show. */
  part(): Part;
  /**
   * Whole records from an offset on, at most `maxBytes`; empty if there are no more now. Errors: BAD_REQUEST if the offset is not between
   * two records.
   */
  read(offset: number, maxBytes: number): Promise<Uint8Array>;
  /** Calls the listener after each change of state and each addition to the output. Returns a function that unsubscribes. */
  onChange(listener: () => void): () => void;
  /** Resolves with the ended part. Never rejects. */
  readonly ended: Promise<Part>;
}

export interface BroughtOrder {
  order: Uint8Array;
  bundle?: Uint8Array | undefined;
  fetchBundle?: FetchBundle | undefined;
}

export interface Target {
  /**
   * Takes an order: verifies, decides and journals it before anything is done, and starts it at most once however often it comes. The
   * part of the handle says if the order was refused, skipped or already known; all output stays readable until it expires. Errors:
   * ORDER_INVALID and FRAME_INVALID if the bytes are not an order for this node from that starter; DISK_FULL and the like if it could not
   * be journalled (nothing was started); what `fetchBundle` throws if no bundle is installed here either (nothing was decided).
   */
  accept(from: OrderSource, order: BroughtOrder): Promise<PartHandle>;
  /**
   * Makes an order ready that is to start soon, and starts nothing. Errors: as `accept`, and any reason why it may not run or cannot be
   * made ready; the part says so only to one who brings the order at its turn.
   */
  prepare(from: OrderSource, order: BroughtOrder): Promise<PreparedOrder>;
  /**
   * Parts at this node of executions whose ids start with `idStart`, as far as a principal may READ them; by id and index, a few thousand
   * at most.
   */
  find(principal: Principal, idStart: string): Promise<PartHandle[]>;
  /** One part, readable as long as the principal may see it. Errors: NOT_FOUND, also for what the principal may not see. */
  attach(principal: Principal, id: ExecutionId, index: number): Promise<PartHandle>;
  /** Ends one part of an execution, or all at this node; resolves with them once they have ended. Errors: NOT_FOUND, FORBIDDEN. */
  abort(principal: Principal, id: ExecutionId, index?: number): Promise<Part[]>;
  readonly installed: Installed;
  /** A part at this node, without a check of rights, for parts of dispatch that check themselves; undefined if unknown. */
  known(id: ExecutionId, index: number): Promise<PartHandle | undefined>;
  /** Ended parts that members of a domain had ordered. `until`: milliseconds since the epoch, when they may be forgotten. */
  ended(domain: string): AsyncIterable<{ starter: string; id: ExecutionId; index: number; until: number; endedAt: number }>;
  /** Ends a part whose order its starter takes back. Keeps nothing about an unknown one. */
  cancelled(from: Member, which: { id: ExecutionId; index: number }): Promise<void>;
  /** What runs and waits now, for `dtkd status`. */
  counts(): { running: number; waiting: number; known: number };
  /** Parts that ended here since the daemon started, by outcome, and bytes of their output that were kept. */
  figures(): EndedFigures;
  /** Settles what was running under an earlier daemon, goes on with what that had accepted, and serves `/dtkd/dispatch`. */
  start(): Promise<void>;
  /** Takes no more orders, closes the runner and leaves running processes alone: they go on, and the next daemon finds them. */
  stop(): Promise<void>;
}

export interface EndedFigures {
  outcomes: Readonly<Record<Outcome, number>>;
  outputBytes: number;
}

/** What is installed on this node, and can run here while the owner of the model is away. */
export interface Installed {
  /** Installed resources that a principal may READ, by owner and object; at most `limit`. */
  find(principal: Principal, by: { node?: string; model?: string; type?: string; name?: string }, limit: number): Promise<ResourceMatch[]>;
  /** The signed bundle (CBOR of SignedBundle) of a resource as last installed. `node`: its owner's name here. */
  bundle(principal: Principal, of: { node: string; object: string }): Promise<Uint8Array | undefined>;
}

/** The policy of this node, with all defaults filled in. */
export interface NodePolicy {
  trust: readonly { node: string; key: string; follow: boolean }[];
  pins: NonNullable<PolicySpec['pins']>;
  limits: NodeLimits;
}

export interface NodeLimits {
  /** Parts that run at a time. */
  concurrency: number;
  timeoutMs: number;
  outputBytes: number;
  users: readonly string[];
  environment: readonly string[];
  keepForMs: number;
  keepBytes: number;
}

export interface PolicyReader {
  /** The policy as stored; cached until it changes. */
  read(): Promise<NodePolicy>;
  /** Calls the listener after a change. Returns a function that unsubscribes. */
  onChange(listener: () => void): () => void;
}
