/** Runs discovery (routing table, mDNS) while a member is missed, and only then: it costs every member work for each other one. */
import type { PeerKey } from '../../../../protocol/ids.ts';
import type { Address } from '../../../../protocol/peers/address.ts';
import type { Logger } from '../../logging/logger.types.ts';
import type { Host } from '../host/host.types.ts';
import type { AddressBook } from './address-book.ts';
import { FULL_MESH_BELOW } from './connection-choice.ts';
import type { PeerTable } from './peer-table.ts';

/**
 * A member missed for so long is looked for, beyond where it was. In a large domain this must not begin merely because many start at once
 * on a busy machine.
 */
const SEARCH_AFTER_MS = 10_000;
const LARGE_SEARCH_AFTER_MS = 30_000;
/** How often it is to be considered whether to begin or end searching. */
export const SEARCH_CHECK_MS = 5_000;

export interface SearchPorts {
  host: Host;
  peers: PeerTable;
  book: AddressBook;
  logger: Logger;
  mdns: boolean;
  members(): ReadonlyMap<PeerKey, unknown>;
  /** True if a member has been out of reach for so long. */
  misses(forMs: number): boolean;
  onFound(key: PeerKey, addresses: readonly Address[]): void;
}

export class Search {
  readonly #ports: SearchPorts;
  #searching = false;
  #failed = false;
  /** Beginning takes a while, and what has not begun yet cannot be ended. */
  #turn: Promise<void> = Promise.resolve();

  constructor(ports: SearchPorts) {
    this.#ports = ports;
  }

  /** Begins or ends searching, as need be. */
  check(): void {
    const { host, members, misses } = this.#ports;
    const missing = misses(members().size < FULL_MESH_BELOW ? SEARCH_AFTER_MS : LARGE_SEARCH_AFTER_MS);
    if (missing === this.#searching) return;
    this.#searching = missing;
    this.#turn = this.#turn.then(() => (missing ? this.#start() : host.stopDiscovery())).catch((err: unknown) => this.#fail(err));
  }

  /** The next check tries again. */
  async #fail(err: unknown): Promise<void> {
    const { host, logger } = this.#ports;
    if (!this.#failed) logger.warn({ err }, 'Discovery failed; members are found by what others tell');
    this.#failed = true;
    await host.stopDiscovery().catch(() => {});
    this.#searching = false;
  }

  async #start(): Promise<void> {
    const { host, peers, book, mdns, onFound } = this.#ports;
    await host.startDiscovery({ mdns }, onFound);
    this.#failed = false;
    // The routing table has to be told of those who are there already.
    for (const peer of peers.connected()) {
      const link = peers.best(peer);
      // A connection that ends just then is no reason to end the search.
      await link?.announce(peers.protocols(link), book.of(peer)).catch(() => {});
    }
  }
}
