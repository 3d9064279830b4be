/** What the starting side of dispatch takes and offers: to the API, to the server of `/dtkd/dispatch`, and to daemon.ts. */
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
  models: Models;
  nodes: Nodes;
  modules: Pick<Modules, 'get' | 'keep'>;
  content: Pick<Content, 'allow' | 'fetch'>;
  /** This node as a target of itself. */
  target: Pick<Target, 'accept' | 'prepare' | 'attach' | 'find' | 'abort'>;
  holding: Pick<Holding, 'deposit' | 'cancel' | 'mayHaveDelivered' | 'onDelivery'>;
  access: Pick<DispatchAccess, 'decide'>;
  audit: AuditPort;
  /** The data directory: `dispatch/collected/` is made in it. */
  directory: string;
  /** How long ended executions and what was collected of their output are kept, and how many bytes in sum. */
  keep(): Promise<{ keepForMs: number; keepBytes: number }>;
  /** Names of this node's Execution objects that begin so, at most `limit`. */
  names(beginning: string, limit: number): Promise<string[]>;
  logger: Logger;
  /** Milliseconds since the epoch. */
  now(): number;
  /** In place of TIMING, for tests. */
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

/** What an abort came to. */
export interface AbortAnswer {
  id: ExecutionId;
  /** Parts that have ended, or will since their targets were told. */
  told: { index: number; node: string }[];
  /** Targets and holders that could not be told, or did not do it. */
  notTold: { index: number; node: string; reason: string }[];
}

/**
 * Executions that this node started, for those who ask it over `/dtkd/dispatch`: what it does not know as a target it asks here. Only what the
 * principal may READ.
 */
export interface StartedExecutions {
  /** Its parts as this node knows them, and the header of its plan; undefined if there is none. */
  find(principal: Principal, id: ExecutionId): Promise<{ header: Uint8Array; handles: PartHandle[] } | undefined>;
  /** Errors: NOT_FOUND. */
  attach(principal: Principal, id: ExecutionId, index: number): Promise<PartHandle>;
  /** Ends one part, or all; parts that were not told yet are not told any more. Errors: NOT_FOUND, FORBIDDEN. */
  abort(principal: Principal, id: ExecutionId, index?: number): Promise<Part[]>;
}

/** For a part of this daemon that starts commands as somebody, and says itself how many at a time. */
export interface DispatchOptions {
  /** Called in the transaction that stores the Execution, so that who starts it finds it again after a crash. Its id is its object's name. */
  record?(tx: Transaction, id: ExecutionId): void;
}

/** Planned before it is to begin. */
export interface PreparedDispatch {
  /** Runs it as it was planned; plans anew if something may have changed since. Errors: as `dispatch`. */
  dispatch(options?: DispatchOptions): Promise<ApiObject>;
}

export interface Executions {
  /** Plans, and runs unless it is only tried. Errors: those of planning, TOO_MANY_REQUESTS. */
  dispatch(principal: Principal, request: DispatchRequestSpec, options?: DispatchOptions): Promise<ApiObject>;
  /** Plans what is to begin soon, and begins nothing. Errors: those of planning. */
  prepare(principal: Principal, request: DispatchRequestSpec): Promise<PreparedDispatch>;
  /**
   * The object of an execution that this node started, when all its parts have ended and that is stored; also of one that an earlier daemon started. What could not be
   * taken up again comes as it was left. `succeeded` is called before, as soon as all targets of one that goes on have told that they ended well. Errors: NOT_FOUND; UNAVAILABLE when this daemon ends first; what the signal gives as its reason, or ABORTED.
   */
  ended(principal: Principal, id: ExecutionId, signal: AbortSignal, succeeded?: () => void): Promise<ApiObject>;
  plan(principal: Principal, request: DispatchRequestSpec): Promise<PlanAnswer>;
  /** Ends one part, or all. Errors: NOT_FOUND, FORBIDDEN. */
  abort(principal: Principal, id: string, index?: number): Promise<AbortAnswer>;
  /** Lines from these offsets on (by index; absent: from the beginning), until all has ended or it is paused. Errors: NOT_FOUND, AMBIGUOUS. */
  follow(
    principal: Principal,
    id: string,
    options: { from?: ReadonlyMap<number, number>; signal: AbortSignal },
  ): Promise<AsyncIterable<FollowLine>>;
  /**
   * A target of this node's own execution has said in a file how its part ended: it counts as if the target had been asked. `known`: there was nothing left to
   * find out. Errors: NOT_FOUND, ORDER_INVALID if that member is not the target of that part, GONE if nothing is waited for any more.
   */
  answered(
    from: { domain: string; target: string },
    which: { id: ExecutionId; index: number },
    answer: { part: Part; records: Uint8Array },
  ): Promise<'taken' | 'known'>;
  /** Digests of the code that orders name which wait for their targets in these domains. */
  waitingCode(domains: ReadonlySet<string>): ReadonlySet<string>;
  /** By name: `dispatch` and `executions`. */
  actions: ReadonlyMap<string, ExecutionAction>;
  /** For the kind Execution: what runs cannot be deleted, and what was collected goes with it. */
  handler: { delete(object: ApiObject, context: { dryRun: boolean }): Promise<undefined> };
  started: StartedExecutions;
  /** What it does now, for `dtkd status`. */
  counts(): { running: number; parts: number };
  /** What became of those that have ended, and what goes on: `running` executions, and `queued` targets whose orders are held. */
  figures(): FinishedFigures & { running: number; queued: number };
  /** Takes up what an earlier daemon left. */
  start(): Promise<void>;
  /** Stops telling targets and lets go of all streams: what was told goes on there. */
  close(): Promise<void>;
}
