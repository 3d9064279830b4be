/**
 * Which members are connected, how, and since when. Owns the choice among several connections to one member: direct before relayed, one
 * dialled by the lower key before one dialled by the higher, the older before the younger. Both sides choose the same one, even if they
 * dialled each other at once and see the two in different order; otherwise one would close what the other is about to use. Observed, never
 * replicated.
 */
import type { PeerId, PeerKey } from '../../../../protocol/ids.ts';
import type { Address } from '../../../../protocol/peers/address.ts';
import type { Link } from '../host/host.types.ts';

interface Connected {
  link: Link;
  /** Where the member may be dialled. For an inbound link: the IP address that we see, with the port that the member told. */
  address: Address | undefined;
  protocols: readonly string[];
  /** Where the member said that it may be dialled. */
  announced: readonly Address[];
}

interface Row {
  links: Connected[];
  since: number;
  heard: ReadonlySet<PeerId> | undefined;
}

export interface Presence {
  connected: boolean;
  path: 'direct' | 'relayed' | undefined;
  address: Address | undefined;
  since: number | undefined;
  /** The removals that it was last known to have heard of; undefined if it has not told since this daemon started. */
  heard: ReadonlySet<PeerId> | undefined;
}

export class PeerTable {
  readonly #rows = new Map<PeerKey, Row>();
  readonly #self: PeerKey;
  readonly #now: () => number;

  constructor(self: PeerKey, now: () => number) {
    this.#self = self;
    this.#now = now;
  }

  /** Returns true if the member was away. */
  add(link: Link, address: Address | undefined, protocols: readonly string[], announced: readonly Address[] = []): boolean {
    const row = this.#rows.get(link.peer) ?? { links: [], since: this.#now(), heard: undefined };
    this.#rows.set(link.peer, row);
    const returned = row.links.length === 0;
    if (returned) row.since = this.#now();
    row.links.push({ link, address, protocols, announced });
    row.links.sort((a, b) => this.#rank(a.link) - this.#rank(b.link) || a.link.openedAt - b.link.openedAt);
    return returned;
  }

  /** Returns true if the link was known. */
  remove(link: Link): boolean {
    const row = this.#rows.get(link.peer);
    const index = row?.links.findIndex((entry) => entry.link === link) ?? -1;
    if (row === undefined || index < 0) return false;
    row.links.splice(index, 1);
    if (row.links.length === 0) row.since = this.#now();
    return true;
  }

  best(peer: PeerKey): Link | undefined {
    return this.#rows.get(peer)?.links.find(({ link }) => !link.closed)?.link;
  }

  hasDirect(peer: PeerKey): boolean {
    return this.#rows.get(peer)?.links.some(({ link }) => link.via === undefined && !link.closed) === true;
  }

  links(peer: PeerKey): Link[] {
    return this.#rows.get(peer)?.links.map(({ link }) => link) ?? [];
  }

  protocols(link: Link): readonly string[] {
    return this.#rows.get(link.peer)?.links.find((entry) => entry.link === link)?.protocols ?? [];
  }

  /** Addresses that the member announced in the hello of this link. */
  announced(link: Link): readonly Address[] {
    return this.#rows.get(link.peer)?.links.find((entry) => entry.link === link)?.announced ?? [];
  }

  connected(): PeerKey[] {
    return [...this.#rows].filter(([, row]) => row.links.length > 0).map(([key]) => key);
  }

  /** Dialable addresses of direct links, without duplicates. */
  directAddresses(peer: PeerKey): Address[] {
    const links = this.#rows.get(peer)?.links.filter(({ link }) => link.via === undefined && !link.closed) ?? [];
    const found = links.map(({ address }) => address).filter((address) => address !== undefined);
    return found.filter((address, at) => found.findIndex(({ host, port }) => host === address.host && port === address.port) === at);
  }

  heard(peer: PeerKey, removals: readonly PeerId[]): boolean {
    const row = this.#rows.get(peer);
    if (row === undefined || isSame(row.heard, removals)) return false;
    row.heard = new Set(removals);
    return true;
  }

  presence(peer: PeerKey): Presence {
    const row = this.#rows.get(peer);
    const first = row?.links[0];
    return {
      connected: first !== undefined,
      path: first === undefined ? undefined : first.link.via === undefined ? 'direct' : 'relayed',
      address: first?.address,
      since: row?.since,
      heard: row?.heard,
    };
  }

  forget(peer: PeerKey): void {
    this.#rows.delete(peer);
  }

  #rank(link: Link): number {
    const dialledByLower = link.inbound ? link.peer < this.#self : this.#self < link.peer;
    return (link.via === undefined ? 0 : 2) + (dialledByLower ? 0 : 1);
  }
}

function isSame(heard: ReadonlySet<PeerId> | undefined, removals: readonly PeerId[]): boolean {
  return heard?.size === removals.length && removals.every((id) => heard.has(id));
}
