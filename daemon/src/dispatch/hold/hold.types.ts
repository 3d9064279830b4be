/** What holding takes and offers: to the starter, whose orders are held, and to the target, which gets them. */
import type { CancelFrame, OrderFrame } from '../../../../protocol/orders/carry.ts';
import type { BundleAt, HeldOrder } from '../../../../protocol/orders/hold.ts';
import type { ExecutionId } from '../../../../protocol/orders/order.ts';
import type { Logger } from '../../logging/logger.types.ts';
import type { Kv } from '../../store/kv.ts';
import type { Member, Members } from '../dispatch.types.ts';

export interface HoldingOptions {
  /** This node's name, to say that it holds an order itself. */
  node: { name: string };
  members: Members;
  /** Rows `h/…`. */
  rows: Kv;
  /**
   * At the target: takes an order that was delivered, from its starter by whose signature it was proved. Resolves once it is journalled, also if it
   * was known already. Whatever it throws is told to the holder, who keeps the order unless the code says that it will never be taken. `signal`: this
   * node stops.
   */
  accept(from: { member: Member; user: HeldOrder['user'] }, order: Omit<HeldOrder, 'user'>, signal: AbortSignal): Promise<void>;
  /** At the starter: keeps a bundle that is too large to be sealed, for a target to fetch until then. Absent: it is left out. */
  offer?(bundle: Uint8Array, to: { domain: string; key: string }, until: number): Promise<BundleAt>;
  /** At the target: whether it was journalled. Absent: never. */
  isTaken?(which: { id: ExecutionId; index: number }): Promise<boolean>;
  /** At the target: an order was taken back. It may have come before, or never. */
  cancelled?(from: Member, which: { id: ExecutionId; index: number }): Promise<void>;
  /** True of the key of a member that was removed from a domain of this node, or has left it. */
  isGone(member: string): boolean;
  logger: Logger;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** What became of an order that this node had deposited and delivered itself. */
export interface Delivery {
  domain: string;
  target: string;
  id: ExecutionId;
  index: number;
  taken: boolean;
  /** Why it was not taken. */
  code?: string;
  message?: string;
}

/** An order in its box with its starter's signature, or the taking back of one. */
export type CarriedOrder = OrderFrame | CancelFrame;

export interface Holding {
  /**
   * Seals an order to its target and gives it to members of the domain that can be reached (up to three), and to this node itself. Names who holds it
   * once it is durable there, and who may hold it, since there was no answer. Errors: TOO_LARGE, KEY_WRONG, ORDER_INVALID.
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
   * Takes it back where it can be reached, at the target as well, and goes on trying until `notAfter`. Names those that were not reached yet.
   * Errors: NOT_FOUND if it was not deposited here, or its time is over.
   */
  cancel(entry: { domain: string; target: string; id: ExecutionId; index: number }): Promise<{ notReached: string[] }>;
  /** False if it is certain that this node itself has not handed over what was deposited here, and did not try to. */
  mayHaveDelivered(entry: { domain: string; target: string; id: ExecutionId; index: number }): boolean;
  /** Calls back when the target has answered this node about an order that it deposited. Returns a function that unsubscribes. */
  onDelivery(listener: (delivery: Delivery) => void): () => void;
  /** What is held here in a domain, to be carried elsewhere. What is given out counts as on its way from then on: that is durable before it is given. */
  carry(domain: string): AsyncIterable<CarriedOrder>;
  /** Takes what was carried here: as its starter's deposit, or as its delivery if it is for this node. `self`: this node's key in the domain. Errors: as for deposits. */
  takeCarried(at: { domain: string; self: string }, carried: CarriedOrder): Promise<'taken' | 'known'>;
  /** Orders for this node that were taken back and had never come: they will not be taken. */
  neverTaken(domain: string, self: string): { starter: string; id: ExecutionId; index: number; notAfter: number }[];
  /** Its target has said what became of it: it needs to be held no longer. */
  answered(which: { domain: string; target: string; starter: string; id: ExecutionId; index: number }): Promise<void>;
  /** What is held here, for all. */
  counts(): { orders: number; bytes: number };
  /** Milliseconds since the epoch: when the first of these orders expires; undefined if none is held. */
  firstExpiry(): number | undefined;
  /** Serves `/dtkd/hold` and begins to deliver. */
  start(): Promise<void>;
  stop(): Promise<void>;
}
