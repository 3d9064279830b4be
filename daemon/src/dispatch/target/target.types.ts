/** What the target of orders takes and offers: to the stream server, to holding, to the starter on this node itself, and to the models. */
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
  /** This node's name, and its signing key (64 hex digits), under which deployments name it. */
  node: { name: string; signingKey: string };
  /** The data directory: `resources/` and `dispatch/` are made in it. */
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
  /** Executions that this node itself started: asked for what it does not know as a target. Absent: it starts none. */
  started?(): StartedParts | undefined;
  /** The environment of the daemon, of which policy lets some variables through to commands. */
  environment: Readonly<Record<string, string | undefined>>;
  logger: Logger;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** What the starting side of this node knows of parts elsewhere, as far as a principal may READ them. */
export interface StartedParts {
  find(principal: Principal, idStart: string): Promise<{ header: Uint8Array; handles: PartHandle[] } | undefined>;
  /** Errors: NOT_FOUND. */
  attach(principal: Principal, id: ExecutionId, index: number): Promise<PartHandle>;
  /** Ends what was not told to its targets yet. Errors: NOT_FOUND, FORBIDDEN. */
  abort?(principal: Principal, id: ExecutionId, index?: number): Promise<Part[]>;
}

/** Gets the bundle of an order that came without, because it is large. Not called for what is known, late, or of no command. */
export type FetchBundle = () => Promise<Uint8Array>;

/** Who brings an order: this node's own starter for one of its principals, or a member (whose key is the connection's, or proved by a signature). */
export type OrderSource =
  | { type: 'self'; principal: Principal }
  | { type: 'member'; member: Member; user: { name: string; uid: string } | undefined };

/** An order that is ready, and starts on a word. */
export interface PreparedOrder {
  /** Starts it: decides again, as for one that comes now. Errors: as `accept`; UNAVAILABLE if it was let go of, for it to be brought anew. */
  go(): Promise<PartHandle>;
  /** Lets go of it: it is as if it had never come. One that starts is started. Never rejects. */
  leave(): Promise<void>;
}

/** One part at this target: as it stands, and what it wrote. */
export interface PartHandle {
  readonly id: ExecutionId;
  readonly index: number;
  /** The order as it came (CBOR), at its target itself. */
  readonly order?: Uint8Array;
  /** As it stands now. Only durable states show. */
  part(): Part;
  /** Whole records from an offset on, at most so many bytes; empty: nothing more now. BAD_REQUEST if the offset is not between two records. */
  read(offset: number, maxBytes: number): Promise<Uint8Array>;
  /** Calls back after each change of state and each addition to the output. Returns a function that unsubscribes. */
  onChange(listener: () => void): () => void;
  /** Resolves with the part as it ended. Never rejects. */
  readonly ended: Promise<Part>;
}

export interface BroughtOrder {
  order: Uint8Array;
  bundle?: Uint8Array | undefined;
  fetchBundle?: FetchBundle | undefined;
}

export interface Target {
  /**
   * Takes an order: verifies, decides and journals it before anything is done, and starts it at most once however often it comes. What is
   * refused, skipped or known already is told by the part of the handle; all of its output stays readable until its time is over.
   * Errors: ORDER_INVALID, FRAME_INVALID if the bytes are no order for this node from that starter; DISK_FULL and the like if it could
   * not be journalled (nothing was started); what `fetchBundle` throws if no bundle is installed here either (nothing was decided).
   */
  accept(from: OrderSource, order: BroughtOrder): Promise<PartHandle>;
  /**
   * Makes an order ready that is to start soon, and starts nothing. Errors: as `accept`, and whatever speaks against it: who brings it at its turn is told that in its part.
   */
  prepare(from: OrderSource, order: BroughtOrder): Promise<PreparedOrder>;
  /** Parts at this node of the executions whose ids begin so, as far as a principal may READ them; by id and index, a few thousand at most. */
  find(principal: Principal, idStart: string): Promise<PartHandle[]>;
  /** One of them, which tells of itself as long as the principal may see it. Errors: NOT_FOUND, also for what the principal may not see. */
  attach(principal: Principal, id: ExecutionId, index: number): Promise<PartHandle>;
  /** Ends one part, or all of this node's; resolves with them once they have ended. Errors: NOT_FOUND, FORBIDDEN. */
  abort(principal: Principal, id: ExecutionId, index?: number): Promise<Part[]>;
  readonly installed: Installed;
  /** A part of this node, whoever asks; undefined if none is known. For other parts of dispatch, which decide who is told. */
  known(id: ExecutionId, index: number): Promise<PartHandle | undefined>;
  /** Parts that members of a domain had ordered and that have ended. `until`: milliseconds since the epoch, when they may be forgotten. */
  ended(domain: string): AsyncIterable<{ starter: string; id: ExecutionId; index: number; until: number; endedAt: number }>;
  /** Its starter takes an order back: what has not ended yet is ended. Of what is not known nothing is kept. */
  cancelled(from: Member, which: { id: ExecutionId; index: number }): Promise<void>;
  /** What it does now, for `dtkd status`. */
  counts(): { running: number; waiting: number; known: number };
  /** Parts that ended here since the daemon runs, by outcome, and bytes of output that were kept of them. */
  figures(): EndedFigures;
  /** Settles what an earlier daemon left, goes on with what it had accepted, and serves `/dtkd/dispatch`. */
  start(): Promise<void>;
  /** Takes no more orders, closes the runner and lets go of what runs: it goes on by itself, and the next daemon finds it again. */
  stop(): Promise<void>;
}

export interface EndedFigures {
  outcomes: Readonly<Record<Outcome, number>>;
  outputBytes: number;
}

/** What is installed on this node: what it may run when the owner of the model is away. */
export interface Installed {
  /** Those that a principal may READ, in the order of owners and objects; at most `limit`. */
  find(principal: Principal, by: { node?: string; model?: string; type?: string; name?: string }, limit: number): Promise<ResourceMatch[]>;
  /** The signed bundle (CBOR of SignedBundle) of a resource as it was last installed; `node`: its owner, as it is called here. */
  bundle(principal: Principal, of: { node: string; object: string }): Promise<Uint8Array | undefined>;
}

/** The policy of this node with all defaults put in. */
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
  /** As it stands in the store; costs nothing while it does not change. */
  read(): Promise<NodePolicy>;
  /** Calls back when it has changed, and can be read. Returns a function that unsubscribes. */
  onChange(listener: () => void): () => void;
}
