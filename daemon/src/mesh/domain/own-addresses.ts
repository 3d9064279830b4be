/** The addresses that a node announces of itself. */
import { networkInterfaces } from 'node:os';
import { type Address, isLoopback, parseAddress } from '../../../../protocol/peers/address.ts';

/**
 * Addresses announced by the operator first, then those of the interfaces that the mesh listens on. Loopback addresses only if there are
 * no others (several daemons on one machine).
 */
export function ownAddresses(announce: readonly string[], hosts: readonly string[], port: number): Address[] {
  const announced = announce.map((text) => parseAddress(text, port));
  const found = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    // A link-local IPv6 address means nothing without the interface of the dialling machine.
    .filter((address) => !(address.family === 'IPv6' && /^fe[89ab]/i.test(address.address)))
    .filter(({ family }) => hosts.includes(family === 'IPv6' ? '::' : '0.0.0.0'))
    .map(({ address }) => address);
  const named = hosts.filter((host) => host !== '::' && host !== '0.0.0.0');
  const all = [...new Set([...named, ...found])];
  const outer = all.filter((host) => !isLoopback(host));
  return [...announced, ...(outer.length > 0 ? outer : all).map((host) => ({ host, port }))];
}
