/** Between addresses and multiaddrs. */
import { isIP, isIPv6 } from 'node:net';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import type { Address } from '../../../../protocol/peers/address.ts';

export function toMultiaddr({ host, port }: Address, peerId?: string): Multiaddr {
  const base = `/${isIPv6(host) ? 'ip6' : 'ip4'}/${host}/tcp/${port}`;
  return multiaddr(peerId === undefined ? base : `${base}/p2p/${peerId}`);
}

/** Multiaddrs of those that are plain IP addresses: what a peer tells may also be a name, or an address with a zone, and never fails. */
export function toMultiaddrs(addresses: readonly Address[]): Multiaddr[] {
  return addresses.filter(({ host }) => isIP(host) !== 0 && !host.includes('%')).map((address) => toMultiaddr(address));
}

/** The IP address and port of a direct multiaddr; undefined for a relayed one. IPv4 in IPv6 is unwrapped. */
export function fromMultiaddr(address: Multiaddr): Address | undefined {
  let host: string | undefined;
  let port: number | undefined;
  for (const { name, value } of address.getComponents()) {
    if (name === 'p2p-circuit') return undefined;
    if (name === 'ip4' || name === 'ip6') host = value;
    if (name === 'tcp') port = Number(value);
  }
  if (host === undefined || port === undefined) return undefined;
  return { host: unmapped(host), port };
}

/** IPv4 in IPv6, as a listener on all addresses sees it, is IPv4. */
export function unmapped(host: string): string {
  return host.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '');
}
