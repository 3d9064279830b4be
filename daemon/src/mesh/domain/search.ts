/** Runs discovery (routing table, mDNS) only while a member is missed, since it costs every member work for each other one. */
import type { PeerKey } from '../../../../protocol/ids.ts';
import type { Address } from '../../../../protocol/peers/address.ts';
import type { Logger } from '../../logging/logger.types.ts';
import type { Host } from '../host/host.types.ts';
import type { AddressBook } from './address-book.ts';
import { FULL_MESH_BELOW } from './connection-choice.ts';
import type { PeerTable } from './peer-table.ts';

/**
 * Discovery starts when a member has been missed for this long. In a large domain the time is longer, so that it does not start merely
 * because many nodes start at once on a busy machine.
 */
const SEARCH_AFTER_MS = 10_000;
const LARGE_SEARCH_AFTER_MS = 30_000;
/** How often `check` should be called. */
export const SEARCH_CHECK_MS = 5_000;

export interface SearchPorts {
  host: Host;
  peers: PeerTable;
  book: AddressBook;
  logger: Logger;
  mdns: boolean;
  members(): ReadonlyMap<PeerKey, unknown>;
  /** True if a member has been out of reach for this long. */
  misses(forMs: number): boolean;
  onFound(key: PeerKey, addresses: readonly Address[]): void;
}

export class Search {
  readonly #ports: SearchPorts;
  #searching = false;
  #failed = false;
  /** Serialises starting and stopping: a start takes a while, and a search that has not started cannot be stopped. */
  #turn: Promise<void> = Promise.resolve();

  constructor(ports: SearchPorts) {
    this.#ports = ports;
  }

  /** Starts or stops discovery as needed. */
  check(): void {
    const { host, members, misses } = this.#ports;
    const missing = misses(members().size < FULL_MESH_BELOW ? SEARCH_AFTER_MS : LARGE_SEARCH_AFTER_MS);
    if (missing === this.#searching) return;
    this.#searching = missing;
    this.#turn = this.#turn.then(() => (missing ? this.#start() : host.stopDiscovery())).catch((err: unknown) => this.#fail(err));
  }

  /** Gives up this search, so that the next check tries again. */
  async #fail(err: unknown): Promise<void> {
    const { host, logger } = this.#ports;
    if (!this.#failed) logger.warn({ err }, 'Discovery failed; members are found through other members');
    this.#failed = true;
    await host.stopDiscovery().catch(() => {});
    this.#searching = false;
  }

  async #start(): Promise<void> {
    const { host, peers, book, mdns, onFound } = this.#ports;
    await host.startDiscovery({ mdns }, onFound);
    this.#failed = false;
    // The routing table must learn of members that are connected already.
    for (const peer of peers.connected()) {
      const link = peers.best(peer);
      // A connection that ends just now is no reason to end the search.
      await link?.announce(peers.protocols(link), book.of(peer)).catch(() => {});
    }
  }
}
