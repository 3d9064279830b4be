/** Where this node may be dialled: its own interfaces or what it announces, and the addresses at which members see it. */
import { isIP } from 'node:net';
import type { PeerKey } from '../../../../protocol/ids.ts';
import type { Address } from '../../../../protocol/peers/address.ts';
import { MAX_ADDRESSES } from '../../../../protocol/peers/hello.ts';
import { ownAddresses } from './own-addresses.ts';

/** How long own addresses are cached: listing the interfaces costs milliseconds, and every view of the domain shows an address. */
const ADDRESSES_KEPT_MS = 2_000;

export interface WhereaboutsOptions {
  announce: readonly string[];
  hosts: readonly string[];
  port: number;
  now(): number;
}

export class Whereabouts {
  readonly #options: WhereaboutsOptions;
  /** Addresses at which others see us, with the members that said so: hints for nodes behind NAT. */
  readonly #observed = new Map<string, Set<PeerKey>>();
  #own: { at: number; addresses: readonly Address[] } = { at: Number.NEGATIVE_INFINITY, addresses: [] };

  constructor(options: WhereaboutsOptions) {
    this.#options = options;
  }

  /** The best first. */
  addresses(): Address[] {
    const { announce, hosts, port, now } = this.#options;
    if (Math.abs(now() - this.#own.at) > ADDRESSES_KEPT_MS) this.#own = { at: now(), addresses: ownAddresses(announce, hosts, port) };
    const own = this.#own.addresses;
    const seen = [...this.#observed.keys()].map((host) => ({ host, port }));
    return [...own, ...seen.filter(({ host }) => !own.some((other) => other.host === host))].slice(0, MAX_ADDRESSES);
  }

  /** Each member's word counts for one address. It must be a valid IP address, since it is passed on to others as a hint. */
  observedBy(peer: PeerKey, host: string | undefined): void {
    for (const [known, sayers] of this.#observed) if (sayers.delete(peer) && sayers.size === 0) this.#observed.delete(known);
    if (host === undefined || isIP(host) === 0) return;
    const sayers = this.#observed.get(host) ?? new Set();
    if (this.#observed.size < MAX_ADDRESSES || sayers.size > 0) this.#observed.set(host, sayers.add(peer));
  }
}
