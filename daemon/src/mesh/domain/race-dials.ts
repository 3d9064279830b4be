/** Dials several addresses of one member, and keeps the first connection that proves to be with it. */
import { DtkdError } from '../../../../protocol/errors.ts';
import { type Address, isLanAddress } from '../../../../protocol/peers/address.ts';
import type { DialOptions, Link } from '../host/host.types.ts';

/** A local network answers in milliseconds; a lost SYN costs a second. */
const LAN_CONNECT_TIMEOUT_MS = 1_500;
const WAN_CONNECT_TIMEOUT_MS = 5_000;
/** The next address is tried if the previous one has not answered after this time (RFC 8305: connection attempt delay). */
const NEXT_ADDRESS_AFTER_MS = 250;

type Dial = (address: Address, signal: AbortSignal, options: DialOptions) => Promise<Link>;

/**
 * Starts with the first address. The next one follows when the previous one has failed or not answered for a moment, but not while one is
 * in its handshake. Throws the first address's error.
 */
export async function raceDials(addresses: readonly Address[], signal: AbortSignal, dial: Dial): Promise<Link> {
  if (addresses.length === 0) throw new DtkdError('PEER_AWAY', 'no address of the member is known');
  const settled = new AbortController();
  const limit = AbortSignal.any([signal, settled.signal]);
  let winner: Link | undefined;
  const attempt = async (address: Address, onConnected: () => void): Promise<Link> => {
    const connectTimeoutMs = isLanAddress(address.host) ? LAN_CONNECT_TIMEOUT_MS : WAN_CONNECT_TIMEOUT_MS;
    const link = await dial(address, limit, { connectTimeoutMs, onConnected });
    if (winner !== undefined) link.abort('another address answered first');
    winner ??= link;
    return link;
  };
  const attempts: Promise<Link>[] = [];
  for (const address of addresses) {
    if (limit.aborted || winner !== undefined) break;
    let connected = false;
    const next = attempt(address, () => {
      connected = true;
    });
    attempts.push(next);
    const done = next.then(
      () => {},
      () => {},
    );
    await Promise.race([done, pause(NEXT_ADDRESS_AFTER_MS)]);
    if (connected) await done;
  }
  try {
    signal.throwIfAborted();
    return await Promise.any(attempts);
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error;
  } finally {
    settled.abort();
    await Promise.allSettled(attempts);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
