/** What parcels need of the rest of the daemon, and what they offer to the API. */
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

/** One domain of this node: what there is of it, and where what comes is taken in. */
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
  /** True while this node, put back from a backup, does not know what it has revoked since. */
  isAwaiting(): boolean;
  seal(bytes: Uint8Array): Uint8Array;
}

/** A domain, with this node's key in it. */
export interface At {
  domain: DomainId;
  self: PeerKey;
}

export type CarriedOrder = FrameOf<'order'> | FrameOf<'cancel'>;

/** What became of something that was given to holding or to the starting side. `refused`: with the reason. */
export type Taken = 'taken' | 'known' | { refused: Refused };

/** Orders on their way, and what became of those that were carried out. */
export interface ParcelOrders {
  /** All orders and cancellations that are kept here or by connected members. What is given out counts as on its way from then on. */
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
  /** Its archive. */
  bytes(): AsyncIterable<Uint8Array>;
}

export interface ParcelModules {
  /** All whose archives are here; `inDomains`: names of the domains to whose members it is offered. */
  list(): Promise<(CarriedModule & { inDomains: readonly string[] })[]>;
  /** Digests of the code that orders of this node name which wait for their targets in these domains. */
  waiting(domains: ReadonlySet<string>): ReadonlySet<string>;
  /** True if it is here already. Errors: SIGNATURE_INVALID, FRAME_INVALID. */
  has(signed: { statement: Uint8Array; signature: Uint8Array }): Promise<boolean>;
  /** Errors: CONTENT_ALTERED, SIGNATURE_INVALID, and what is wrong in a module. */
  keep(signed: { statement: Uint8Array; signature: Uint8Array }, archive: Uint8Array): Promise<unknown>;
}

export interface ParcelsOptions {
  domain(name: string): ParcelDomain | undefined;
  /** Names of all domains of this node. */
  domains(): string[];
  /** Names of those of which it is a member no more. */
  removedFrom(): string[];
  orders: ParcelOrders;
  modules: ParcelModules;
  /** Throws FORBIDDEN unless the principal may look after that domain. */
  assertMayManage(principal: Principal, domain: string): Promise<void>;
  /** Whether the principal may read that module, also where it is offered to nobody. */
  mayRead(principal: Principal, module: CarriedModule): Promise<boolean>;
  /** Rows `q/…`. */
  rows: Kv;
  /** Where parcels lie while they are read: made, and emptied at the start. */
  directory: string;
  /** Of this dtkd, to show. */
  program: string;
  logger: Logger;
  /** Milliseconds since the epoch. */
  now(): number;
}

export interface ExportAnswer {
  /** The bytes. Whoever reads them sets the pace. */
  bytes: AsyncIterable<Uint8Array>;
}

/** What an import came to. */
export interface ImportReport {
  id: string;
  /** Milliseconds since the epoch, by the maker's clock. */
  made: number;
  dryRun: boolean;
  domains: DomainReport[];
  /** Domains in it in which this node is not. */
  skipped: string[];
  modules: { taken: number; known: number };
  /** What was not taken in, the first of them, and how many in all. */
  refused: { count: number; first: (Refused & { what: string })[] };
}

export interface DomainReport {
  name: string;
  maker: string;
  makerName: string;
  facts: { new: number };
  entries: { new: number; known: number };
  /** Authors of whom earlier entries are missing here. */
  gaps: string[];
  orders: { taken: number; known: number };
  answers: { taken: number; known: number };
}

export interface Parcels {
  /** Makes one; what is wrong with the request is thrown before the first byte. Errors: BAD_REQUEST, NOT_FOUND, FORBIDDEN, TOO_MANY_REQUESTS. */
  export(principal: Principal, request: unknown, signal: AbortSignal): Promise<ExportAnswer>;
  /** Takes one in. Errors: those of reading one; NOT_A_MEMBER, NOT_FOUND, FORBIDDEN, DISK_FULL, TOO_MANY_REQUESTS. */
  import(principal: Principal, source: AsyncIterable<Uint8Array>, how: { dryRun: boolean; signal: AbortSignal }): Promise<ImportReport>;
  start(): Promise<void>;
  stop(): Promise<void>;
}
