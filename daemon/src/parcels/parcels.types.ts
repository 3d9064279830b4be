/** The ports of parcels: what they need from the rest of the daemon, and what they offer to the API. */
import type { DomainId, PeerKey } from '../../../protocol/ids.ts';
import type { AnswerFrame } from '../../../protocol/orders/answer.ts';
import type { FrameOf, ParcelHead } from '../../../protocol/parcel/parcel.ts';
import type { Principal } from '../../../protocol/rights/principal.ts';
import type { Logger } from '../logging/logger.types.ts';
import type { Kv } from '../store/kv.ts';

export interface Refused {
  code: string;
  message: string;
}

/** One domain of this node, as a source for exports and a destination for imports. */
export interface ParcelDomain {
  readonly id: DomainId;
  readonly name: string;
  readonly self: PeerKey;
  readonly selfName: string;
  items(): readonly { bytes: Uint8Array }[];
  heads(): Promise<ParcelHead[]>;
  entries(theirs: readonly ParcelHead[]): AsyncIterable<Uint8Array[]>;
  preview(
    items: readonly Uint8Array[],
  ): Promise<{ standing(key: PeerKey): 'member' | 'removed' | 'stranger'; added: number; rejected: readonly Refused[] }>;
  takeItems(items: readonly Uint8Array[]): Promise<{ added: number; rejected: readonly Refused[] }>;
  takeEntry(entry: Uint8Array): Promise<'applied' | 'known' | 'gap' | 'unknown-author' | 'forked'>;
  gained(): void;
  /** True while this node, restored from a backup, does not yet know what it has revoked since. */
  isAwaiting(): boolean;
  seal(bytes: Uint8Array): Uint8Array;
}

/** A domain and this node's key in it. */
export interface At {
  domain: DomainId;
  self: PeerKey;
}

export type CarriedOrder = FrameOf<'order'> | FrameOf<'cancel'>;

/** The result of handing something to holding or to the starter. */
export type Taken = 'taken' | 'known' | { refused: Refused };

/** Orders in transit, and the answers to those that were carried out. */
export interface ParcelOrders {
  /** All orders and cancellations held here or by connected members. Everything returned counts as in transit from then on. */
  orders(at: At, signal: AbortSignal): AsyncIterable<CarriedOrder>;
  answers(at: At, signal: AbortSignal): AsyncIterable<AnswerFrame>;
  takeOrder(at: At, order: CarriedOrder): Promise<Taken>;
  takeAnswer(at: At, answer: AnswerFrame): Promise<Taken>;
}

export interface CarriedModule {
  name: string;
  version: string;
  digest: string;
  size: number;
  statement: Uint8Array;
  signature: Uint8Array;
  /** The bytes of its archive. */
  bytes(): AsyncIterable<Uint8Array>;
}

export interface ParcelModules {
  /** All modules whose archives are here. `inDomains`: names of the domains to whose members a module is offered. */
  list(): Promise<(CarriedModule & { inDomains: readonly string[] })[]>;
  /** Digests of the code named by this node's orders that wait for targets in these domains. */
  waiting(domains: ReadonlySet<string>): ReadonlySet<string>;
  /** True if the module is here already. Errors: SIGNATURE_INVALID, FRAME_INVALID. */
  has(signed: { statement: Uint8Array; signature: Uint8Array }): Promise<boolean>;
  /** Stores a module. Errors: CONTENT_ALTERED, SIGNATURE_INVALID, and those for faults in a module. */
  keep(signed: { statement: Uint8Array; signature: Uint8Array }, archive: Uint8Array): Promise<unknown>;
}

export interface ParcelsOptions {
  domain(name: string): ParcelDomain | undefined;
  /** Names of all domains of this node. */
  domains(): string[];
  /** Names of domains from which this node was removed. */
  removedFrom(): string[];
  orders: ParcelOrders;
  modules: ParcelModules;
  /** Throws FORBIDDEN unless the principal may manage the domain. */
  assertMayManage(principal: Principal, domain: string): Promise<void>;
  /** Whether the principal may read the module, even one that is offered to nobody. */
  mayRead(principal: Principal, module: CarriedModule): Promise<boolean>;
  /** Rows `q/…`. */
  rows: Kv;
  /** Directory for parcels while they are read. Created and emptied at the start. */
  directory: string;
  /** The version of this dtkd, for display. */
  program: string;
  logger: Logger;
  /** Milliseconds since the epoch. */
  now(): number;
}

export interface ExportAnswer {
  /** The bytes, at the reader's pace. */
  bytes: AsyncIterable<Uint8Array>;
}

/** The result of an import. */
export interface ImportReport {
  id: string;
  /** Milliseconds since the epoch, by the maker's clock. */
  made: number;
  dryRun: boolean;
  domains: DomainReport[];
  /** Domains in the parcel that this node is not in. */
  skipped: string[];
  modules: { taken: number; known: number };
  /** What was refused: the number of all, and the first ones. */
  refused: { count: number; first: (Refused & { what: string })[] };
}

export interface DomainReport {
  name: string;
  maker: string;
  makerName: string;
  facts: { new: number };
  entries: { new: number; known: number };
  /** Authors whose earlier entries are missing here. */
  gaps: string[];
  orders: { taken: number; known: number };
  answers: { taken: number; known: number };
}

export interface Parcels {
  /**
   * Makes a parcel. Errors in the request are thrown before the first byte. Errors: BAD_REQUEST, NOT_FOUND, FORBIDDEN, REMOVED,
   * TOO_MANY_REQUESTS.
   */
  export(principal: Principal, request: unknown, signal: AbortSignal): Promise<ExportAnswer>;
  /** Imports a parcel. Errors: those of reading one; NOT_A_MEMBER, NOT_FOUND, FORBIDDEN, DISK_FULL, TOO_MANY_REQUESTS. */
  import(principal: Principal, source: AsyncIterable<Uint8Array>, how: { dryRun: boolean; signal: AbortSignal }): Promise<ImportReport>;
  start(): Promise<void>;
  stop(): Promise<void>;
}
