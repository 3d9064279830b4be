/** The addresses that a node tells of itself. */
import { networkInterfaces } from 'node:os';
import { type Address, isLoopback, parseAddress } from '../../../../protocol/peers/address.ts';

/**
 * What the operator announced comes first, then the interfaces that the mesh listens on; loopback addresses only where there is nothing
 * else (several daemons on one machine).
 */
export function ownAddresses(announce: readonly string[], hosts: readonly string[], port: number): Address[] {
  const announced = announce.map((text) => parseAddress(text, port));
  const found = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    // Link-local IPv6 addresses mean nothing without the interface of the one who dials.
    .filter((address) => !(address.family === 'IPv6' && /^fe[89ab]/i.test(address.address)))
    .filter(({ family }) => hosts.includes(family === 'IPv6' ? '::' : '0.0.0.0'))
    .map(({ address }) => address);
  const named = hosts.filter((host) => host !== '::' && host !== '0.0.0.0');
  const all = [...new Set([...named, ...found])];
  const outer = all.filter((host) => !isLoopback(host));
  return [...announced, ...(outer.length > 0 ? outer : all).map((host) => ({ host, port }))];
}
