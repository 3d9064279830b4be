/** The port of holding: for starters, whose orders are held, and for targets, which get them. */
import type { CancelFrame, OrderFrame } from '../../../../protocol/orders/carry.ts';
import type { BundleAt, HeldOrder } from '../../../../protocol/orders/hold.ts';
import type { ExecutionId } from '../../../../protocol/orders/order.ts';
import type { Logger } from '../../logging/logger.types.ts';
import type { Kv } from '../../store/kv.ts';
import type { Member, Members } from '../dispatch.types.ts';

export interface HoldingOptions {
  /** This node's name, reported among the holders. */
  node: { name: string };
  members: Members;
  /** Rows `h/…`. */
  rows: Kv;
  /**
   * At the target: takes a delivered order. `from` is the starter whose signature proved it. Resolves once the order is in the journal,
   * also if it was known already. Errors are reported to the holder, who keeps the order unless the code is final. `signal` is aborted
   * when this node stops.
   */
  accept(from: { member: Member; user: HeldOrder['user'] }, order: Omit<HeldOrder, 'user'>, signal: AbortSignal): Promise<void>;
  /**
   * At the starter: keeps a bundle that is too large to be sealed, so that the target can fetch it until `until`. Absent: the bundle is
   * left out.
   */
  offer?(bundle: Uint8Array, to: { domain: string; key: string }, until: number): Promise<BundleAt>;
  /** At the target: whether the order is in the journal. Absent: never. */
  isTaken?(which: { id: ExecutionId; index: number }): Promise<boolean>;
  /** At the target: an order was cancelled. It may have arrived before, or never. */
  cancelled?(from: Member, which: { id: ExecutionId; index: number }): Promise<void>;
  /** True for the key of a member that was removed from, or has left, a domain of this node. */
  isGone(member: string): boolean;
  logger: Logger;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** The outcome of an order that this node deposited and then delivered itself. */
export interface Delivery {
  domain: string;
  target: string;
  id: ExecutionId;
  index: number;
  taken: boolean;
  /** Why the target did not take it. */
  code?: string;
  message?: string;
}

/** A sealed order with its starter's signature, or the cancellation of one. */
export type CarriedOrder = OrderFrame | CancelFrame;

export interface Holding {
  /**
   * Seals an order to its target, and gives it to up to three reachable members of the domain and to this node itself. Returns the nodes
   * that hold it durably, and those that may hold it because they did not answer.
   * Errors: TOO_LARGE, KEY_WRONG, ORDER_INVALID, ORDER_EXPIRED.
   */
  deposit(entry: {
    domain: string;
    /** The target's key in the domain. */
    target: string;
    id: ExecutionId;
    index: number;
    /** Milliseconds since the epoch. */
    notAfter: number;
    order: HeldOrder;
  }): Promise<{ holders: string[] }>;
  /**
   * Cancels an order with its holders and its target, as far as they can be reached, and keeps trying until `notAfter`. Returns the nodes
   * that may still act on the order.
   * Errors: NOT_FOUND if it was not deposited here, was delivered, or has expired.
   */
  cancel(entry: { domain: string; target: string; id: ExecutionId; index: number }): Promise<{ notReached: string[] }>;
  /** False if it is certain that this node has neither delivered the order that was deposited here nor tried to. */
  mayHaveDelivered(entry: { domain: string; target: string; id: ExecutionId; index: number }): boolean;
  /** Calls back when a target has answered this node about an order that it deposited. Returns a function that unsubscribes. */
  onDelivery(listener: (delivery: Delivery) => void): () => void;
  /**
   * Yields what is held here for a domain, to be carried elsewhere. An exported order counts as on its way; that is durable before the
   * order is yielded.
   */
  carry(domain: string): AsyncIterable<CarriedOrder>;
  /**
   * Takes what was carried here: as its starter's deposit, or, if it is for this node, as its delivery. `self`: this node's key in the
   * domain. Errors: as for deposits and deliveries.
   */
  takeCarried(at: { domain: string; self: string }, carried: CarriedOrder): Promise<'taken' | 'known'>;
  /** Returns the cancelled orders for this node. Those that had not arrived before will not be taken. */
  neverTaken(domain: string, self: string): { starter: string; id: ExecutionId; index: number; notAfter: number }[];
  /** The target has reported the outcome, so the order need not be held any longer. */
  answered(which: { domain: string; target: string; starter: string; id: ExecutionId; index: number }): Promise<void>;
  /** Orders held here, of all depositors. */
  counts(): { orders: number; bytes: number };
  /** When the first held order expires, in milliseconds since the epoch; undefined if none is held. */
  firstExpiry(): number | undefined;
  /** Serves `/dtkd/hold` and starts delivering. */
  start(): Promise<void>;
  stop(): Promise<void>;
}
