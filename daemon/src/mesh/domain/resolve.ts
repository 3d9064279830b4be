/** Resolves DNS names to all their IP addresses. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { Address } from '../../../../protocol/peers/address.ts';

/** More would not be tried before the user loses patience. */
const MAX_RESOLVED = 8;

/** Errors: ADDRESS_UNREACHABLE. */
export async function resolveAddress({ host, port }: Address): Promise<Address[]> {
  if (isIP(host) !== 0) return [{ host, port }];
  try {
    const found = await lookup(host, { all: true });
    return found.slice(0, MAX_RESOLVED).map(({ address }) => ({ host: address, port }));
  } catch (cause) {
    throw new DtkdError('ADDRESS_UNREACHABLE', `the name ${host} cannot be resolved`, {
      cause,
      next: 'Check the spelling and the name server, or give the IP address.',
    });
  }
}
