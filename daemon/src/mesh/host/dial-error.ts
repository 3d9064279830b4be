/** Tells why a dial failed: nobody there, or somebody else there. */
import { connect, isIPv6 } from 'node:net';
import { DtkdError } from '../../../../protocol/errors.ts';
import { type Address, formatAddress } from '../../../../protocol/peers/address.ts';

/** Long enough for two lost SYN segments. */
const PROBE_TIMEOUT_MS = 3_500;

/** Errors of connect(2): no TCP connection was made. */
const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'ENETDOWN',
  'ETIMEDOUT',
  'EADDRNOTAVAIL',
  'EINVAL',
  'EACCES',
  'EPERM',
]);

/** With `diagnose`, an attempt that timed out is followed by a check whether anybody listens. */
export async function dialError(address: Address, cause: unknown, diagnose: boolean): Promise<DtkdError> {
  if (cause instanceof DtkdError) return cause;
  const code: unknown = cause instanceof Error ? Reflect.get(cause, 'code') : undefined;
  const where = formatAddress(address, -1);
  if (typeof code === 'string' && UNREACHABLE.has(code)) return unreachable(where, cause);
  const name = cause instanceof Error ? cause.name : '';
  // An aborted dial does not tell how far it got.
  if ((name === 'AbortError' || name === 'TimeoutError') && !(diagnose && (await accepts(address)))) return unreachable(where, cause);
  return new DtkdError('NOT_DTKD', `what listens at ${where} is not the dtkd node that was expected`, {
    cause,
    next: 'Check the address and the port: it must be the mesh port, 7701 unless set otherwise.',
  });
}

/**
 * True for IPv6 link-local addresses, with or without a zone (interface). libp2p cannot take a zone, and without one they are unreachable.
 */
export function isLinkLocal(host: string): boolean {
  return isIPv6(host) && /^fe[89ab]/i.test(host);
}

export function linkLocal({ host }: Address): DtkdError {
  return new DtkdError('ADDRESS_UNREACHABLE', `${host} is a link-local address, which dtkd cannot dial`, {
    next: 'Give another address of that machine; any address of fd00::/8 that both machines have will do.',
  });
}

function unreachable(where: string, cause: unknown): DtkdError {
  return new DtkdError('ADDRESS_UNREACHABLE', `nobody answers at ${where}`, {
    cause,
    next: 'Check that the node is up, that the address is right and that its mesh port is open.',
  });
}

function accepts({ host, port }: Address): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: PROBE_TIMEOUT_MS });
    const done = (result: boolean): void => {
      socket.destroy();
      resolve(result);
    };
    socket.once('connect', () => done(true));
    socket.once('timeout', () => done(false));
    socket.once('error', () => done(false));
  });
}
