/** What the starting side of dispatch needs, and what it offers to the API, to the server of `/dtkd/dispatch` and to daemon.ts. */
import type { DispatchRequestSpec } from '../../../../protocol/kinds/execution.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { ExecutionId } from '../../../../protocol/orders/order.ts';
import type { Part } from '../../../../protocol/orders/outcome.ts';
import type { FollowLine, PlanAnswer } from '../../../../protocol/requests/follow.ts';
import type { CapabilityVerb } from '../../../../protocol/rights/capability.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';
import type { Logger } from '../../logging/logger.types.ts';
import type { ObjectStore, Transaction } from '../../store/object-store.types.ts';
import type { AuditPort, Content, DispatchAccess, Members, Models, Modules, Nodes } from '../dispatch.types.ts';
import type { Holding } from '../hold/hold.types.ts';
import type { PartHandle, Target } from '../target/target.types.ts';
import type { Timing } from './limits.ts';
import type { FinishedFigures } from './run/finished-counts.ts';

export interface ExecutionsOptions {
  store: ObjectStore;
  /** This node's name, and its signing key (64 hex digits). */
  node: { name: string; signingKey: string };
  members: Members;
  /** Whether a key belonged to a member that was removed or has left. */
  isGone(member: string): boolean;
  models: Models;
  nodes: Nodes;
  modules: Pick<Modules, 'get' | 'keep'>;
  content: Pick<Content, 'allow' | 'fetch'>;
  /** This node as its own target. */
  target: Pick<Target, 'accept' | 'prepare' | 'attach' | 'find' | 'abort'>;
  holding: Pick<Holding, 'deposit' | 'cancel' | 'mayHaveDelivered' | 'onDelivery'>;
  access: Pick<DispatchAccess, 'decide'>;
  audit: AuditPort;
  /** The data directory; `dispatch/collected/` is created in it. */
  directory: string;
  /** How long ended executions and their collected output are kept, and how many bytes of output in all. */
  keep(): Promise<{ keepForMs: number; keepBytes: number }>;
  /** At most `limit` names of this node's Execution objects that start with `beginning`. */
  names(beginning: string, limit: number): Promise<string[]>;
  logger: Logger;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Overrides TIMING in tests. */
  timing?: Partial<Timing>;
}

/** A request to one of the daemon actions `dispatch` and `executions`, as the API reads it. */
export interface ExecutionActionRequest {
  principal: Principal;
  rest: readonly string[];
  method: 'GET' | 'POST' | 'DELETE';
  query: URLSearchParams;
  body: unknown;
  signal: AbortSignal;
}

/** Answers with a JSON value, or streams JSON lines. */
export interface ExecutionAction {
  (request: ExecutionActionRequest): Promise<unknown>;
  maxBodyBytes?: number;
  verb?: CapabilityVerb;
  open?: 'user';
}

/** The result of an abort. */
export interface AbortAnswer {
  id: ExecutionId;
  /** Parts that have ended, or will because their targets were told. */
  told: { index: number; node: string }[];
  /** Targets and holders that could not be told, or did not comply. */
  notTold: { index: number; node: string; reason: string }[];
}

/**
 * Executions that this node started, for members that ask over `/dtkd/dispatch`: the server asks here about parts that this node does not
 * know as a target. Shows only what the principal may READ.
 */
export interface StartedExecutions {
  /** Its parts as this node knows them, and the header of its plan; undefined if there is no such execution. */
  find(principal: Principal, id: ExecutionId): Promise<{ header: Uint8Array; handles: PartHandle[] } | undefined>;
  /** Errors: NOT_FOUND. */
  attach(principal: Principal, id: ExecutionId, index: number): Promise<PartHandle>;
  /** Ends one part, or all; targets that have not been told yet are never told. Errors: NOT_FOUND, FORBIDDEN. */
  abort(principal: Principal, id: ExecutionId, index?: number): Promise<Part[]>;
}

/** For a part of this daemon that starts commands in somebody's name and limits for itself how many run at a time. */
export interface DispatchOptions {
  /** Called in the transaction that stores the Execution, so that the caller finds it again after a crash. The id is the object's name. */
  record?(tx: Transaction, id: ExecutionId): void;
}

/** A dispatch that is planned ahead of its start. */
export interface PreparedDispatch {
  /** Runs the plan, or makes a new one if something that it rests on may have changed since. Errors: as `dispatch`. */
  dispatch(options?: DispatchOptions): Promise<ApiObject>;
}

export interface Executions {
  /** Plans and starts. Errors: those of planning, TOO_MANY_REQUESTS. */
  dispatch(principal: Principal, request: DispatchRequestSpec, options?: DispatchOptions): Promise<ApiObject>;
  /** Plans a dispatch that will begin soon, and starts nothing. Errors: those of planning. */
  prepare(principal: Principal, request: DispatchRequestSpec): Promise<PreparedDispatch>;
  /**
   * The object of an execution that this node started, once all its parts have ended and that is stored. Also works for one that an
   * earlier daemon started; if that could not be taken up again, its object comes as it was left. Calls `succeeded` as soon as all
   * targets of a running execution have reported success, before that is stored. Errors: NOT_FOUND; UNAVAILABLE if this daemon stops
   * first; the reason of the signal, or ABORTED.
   */
  ended(principal: Principal, id: ExecutionId, signal: AbortSignal, succeeded?: () => void): Promise<ApiObject>;
  plan(principal: Principal, request: DispatchRequestSpec): Promise<PlanAnswer>;
  /** Ends one part, or all. Errors: NOT_FOUND, FORBIDDEN. */
  abort(principal: Principal, id: string, index?: number): Promise<AbortAnswer>;
  /**
   * Lines from these offsets on (by part index; from the beginning if absent), until everything has ended or the execution is paused.
   * Errors: NOT_FOUND, AMBIGUOUS.
   */
  follow(
    principal: Principal,
    id: string,
    options: { from?: ReadonlyMap<number, number>; signal: AbortSignal },
  ): Promise<AsyncIterable<FollowLine>>;
  /**
   * Takes a target's report, carried here in a file, on how its part of this node's execution ended; it counts as if the target had been
   * asked. Returns `known` if there was nothing left to find out. Errors: NOT_FOUND; ORDER_INVALID if that member is not the part's
   * target; GONE if the result is no longer waited for.
   */
  answered(
    from: { domain: string; target: string },
    which: { id: ExecutionId; index: number },
    answer: { part: Part; records: Uint8Array },
  ): Promise<'taken' | 'known'>;
  /** Digests of the code that held orders name, for targets in these domains. */
  waitingCode(domains: ReadonlySet<string>): ReadonlySet<string>;
  /** By name: `dispatch` and `executions`. */
  actions: ReadonlyMap<string, ExecutionAction>;
  /** For the kind Execution: a running one cannot be deleted, and its collected output is deleted with it. */
  handler: { delete(object: ApiObject, context: { dryRun: boolean }): Promise<undefined> };
  started: StartedExecutions;
  /** What runs now, for `dtkd status`. */
  counts(): { running: number; parts: number };
  /** Results of ended executions, how many are `running`, and how many targets are `queued`: their orders are held. */
  figures(): FinishedFigures & { running: number; queued: number };
  /** Takes up executions that an earlier daemon left unfinished. */
  start(): Promise<void>;
  /** Tells no more targets and closes all streams; parts whose targets have been told go on there. */
  close(): Promise<void>;
}
