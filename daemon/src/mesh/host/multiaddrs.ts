/** Converts between addresses and multiaddrs. */
import { isIP, isIPv6 } from 'node:net';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import type { Address } from '../../../../protocol/peers/address.ts';

export function toMultiaddr({ host, port }: Address, peerId?: string): Multiaddr {
  const base = `/${isIPv6(host) ? 'ip6' : 'ip4'}/${host}/tcp/${port}`;
  return multiaddr(peerId === undefined ? base : `${base}/p2p/${peerId}`);
}

/** Multiaddrs of the plain IP addresses. Skips what else a peer may announce, such as a name or an address with a zone; never throws. */
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

/** Unwraps IPv4 in IPv6, which a listener on all addresses sees for IPv4 peers. */
export function unmapped(host: string): string {
  return host.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '');
}
