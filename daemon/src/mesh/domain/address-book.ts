/**
 * Where members may be reached: what they announced, where they were seen, where a dial succeeded. Stored, so that a restarted node finds
 * its peers without asking anybody. Every address is only a hint: dialling checks the key.
 */
import { z } from 'zod';
import type { DomainId, PeerKey } from '../../../../protocol/ids.ts';
import { type Address, formatAddress, isLanAddress, parseAddress } from '../../../../protocol/peers/address.ts';
import { type Kv, prefixEnd } from '../../store/kv.ts';

/** Addresses kept for one member: its interfaces, and earlier places. */
const MAX_PER_MEMBER = 12;
/** Places reserved for the latest hint: a member that sends many hints must not keep out the one that is true. */
const ROOM_FOR_HINTS = 4;
const PAGE = 1_000;

const row = z.array(z.string().max(300)).max(MAX_PER_MEMBER);

export class AddressBook {
  readonly #kv: Kv;
  readonly #prefix: string;
  readonly #addresses = new Map<PeerKey, Address[]>();

  constructor(kv: Kv, domain: DomainId) {
    this.#kv = kv;
    this.#prefix = `k/${domain}/addresses/`;
  }

  async load(): Promise<void> {
    for (const [key, value] of await this.#kv.page({ gte: this.#prefix, lt: prefixEnd(this.#prefix), limit: PAGE })) {
      const parsed = row.safeParse(parseJson(value));
      if (parsed.success) this.#addresses.set(key.slice(this.#prefix.length) as PeerKey, parseAddresses(parsed.data));
    }
  }

  /** The best first. */
  of(key: PeerKey): readonly Address[] {
    return this.#addresses.get(key) ?? [];
  }

  /** Members with at least one known address. */
  members(): PeerKey[] {
    return [...this.#addresses.keys()];
  }

  /** True if one of the known addresses is a local one. */
  isLan(key: PeerKey): boolean {
    return this.of(key).some(({ host }) => isLanAddress(host));
  }

  /** Puts an address first, since the member was reached there. Like all changes, returns true if anything changed. */
  succeeded(key: PeerKey, address: Address): boolean {
    return this.#set(key, merge([address], this.of(key)));
  }

  /** Adds what the member says of itself: before older addresses, but after the one where it was last reached, if it still names that. */
  announced(key: PeerKey, addresses: readonly Address[]): boolean {
    const old = this.of(key);
    const first = old.slice(0, 1).filter((address) => addresses.some((other) => same(other, address)));
    return this.#set(key, merge(first, addresses, old));
  }

  /** Adds what others say: after what is known, in place of earlier hints. */
  hinted(key: PeerKey, addresses: readonly Address[]): boolean {
    const old = this.of(key);
    const fresh = addresses.filter((address) => !old.some((other) => same(other, address))).slice(0, ROOM_FOR_HINTS);
    if (fresh.length === 0) return false;
    return this.#set(key, merge(old.slice(0, MAX_PER_MEMBER - fresh.length), fresh));
  }

  forget(key: PeerKey): void {
    if (!this.#addresses.delete(key)) return;
    this.#kv.batch([{ type: 'del', key: this.#prefix + key }], { sync: false }).catch(() => {});
  }

  #set(key: PeerKey, next: Address[]): boolean {
    const old = this.of(key);
    if (old.length === next.length && old.every((address, index) => next[index] !== undefined && same(address, next[index]))) return false;
    this.#addresses.set(key, next);
    const value = Buffer.from(JSON.stringify(next.map((address) => formatAddress(address, -1))));
    // A hint lost in a crash is learnt again.
    this.#kv.batch([{ type: 'put', key: this.#prefix + key, value }], { sync: false }).catch(() => {});
    return true;
  }
}

/** Parses addresses that a peer wrote; skips invalid ones. */
export function parseAddresses(texts: readonly string[]): Address[] {
  return texts.flatMap((text) => {
    try {
      return [parseAddress(text)];
    } catch {
      return [];
    }
  });
}

function merge(...lists: (readonly Address[])[]): Address[] {
  const merged: Address[] = [];
  for (const address of lists.flat()) {
    if (merged.length >= MAX_PER_MEMBER) break;
    if (!merged.some((other) => same(other, address))) merged.push(address);
  }
  return merged;
}

function same(a: Address, b: Address): boolean {
  return a.host === b.host && a.port === b.port;
}

function parseJson(value: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(value).toString('utf8'));
  } catch {
    return undefined;
  }
}
