/** Runs discovery (routing table, mDNS) while a member is missed, and only then: it costs every member work for each other one. */
import type { Address } from '../../../../protocol/address.ts';
import type { PeerKey } from '../../../../protocol/ids.ts';
import type { Logger } from '../../logger.ts';
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

  constructor(ports: SearchPorts) {
    this.#ports = ports;
  }

  /** Begins or ends searching, as need be. */
  check(): void {
    const { host, logger, members, misses } = this.#ports;
    const missing = misses(members().size < FULL_MESH_BELOW ? SEARCH_AFTER_MS : LARGE_SEARCH_AFTER_MS);
    if (missing === this.#searching) return;
    this.#searching = missing;
    const change = missing ? this.#start() : host.stopDiscovery();
    change.catch((err: unknown) => logger.warn({ err }, 'Discovery failed; members are found by what others tell'));
  }

  async #start(): Promise<void> {
    const { host, peers, book, mdns, onFound } = this.#ports;
    await host.startDiscovery({ mdns }, onFound);
    // The routing table has to be told of those who are there already.
    for (const peer of peers.connected()) {
      const link = peers.best(peer);
      await link?.announce(peers.protocols(link), book.of(peer));
    }
  }
}
