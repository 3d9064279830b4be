/**
 * Decides which Host and Origin headers are accepted. Pure. A page of another site whose name resolves to this address (DNS
 * rebinding) sends its own name as Host; a page of another site that makes requests directly sends its Origin. Both are refused,
 * even with a stolen token.
 */
import { isIP } from 'node:net';

const LOOPBACK = ['localhost', '127.0.0.1', '::1'];

/** Normalizes names and addresses: lower case, without port, brackets, zone or final dot; undefined if it is not a host. */
export function hostOf(header: string): string | undefined {
  const text = header.trim().toLowerCase();
  const bracketed = /^\[([0-9a-f:.]+)(?:%[^\]]*)?\](?::\d{1,5})?$/.exec(text);
  if (bracketed !== null) return isIP(bracketed[1] ?? '') === 6 ? canonicalAddress(bracketed[1] ?? '') : undefined;
  const plain = /^([a-z0-9._-]+)(?::\d{1,5})?$/.exec(text);
  return plain?.[1]?.replace(/\.$/, '');
}

/** Normalizes an address: `::ffff:127.0.0.1` becomes `127.0.0.1`, `0:0:…:1` becomes `::1`. */
export function canonicalAddress(address: string): string {
  const bare = address.toLowerCase().replace(/%.*$/, '');
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(bare);
  if (mapped !== null) return mapped[1] ?? bare;
  return isIP(bare) === 6 ? new URL(`http://[${bare}]/`).hostname.slice(1, -1) : bare;
}

export function knownHosts(names: readonly string[]): ReadonlySet<string> {
  return new Set([...LOOPBACK, ...names.map((name) => canonicalAddress(name).replace(/\.$/, ''))]);
}

/** True if the Host header names this daemon: by a known name, or by the address at which the connection arrived. */
export function isOurHost(header: string | undefined, known: ReadonlySet<string>, localAddress: string | undefined): boolean {
  const host = header === undefined ? undefined : hostOf(header);
  if (host === undefined) return false;
  return known.has(host) || (localAddress !== undefined && host === canonicalAddress(localAddress));
}

/**
 * Like `isOurHost`, for one server, with the last accepted result cached: most requests name the same host at the same address as
 * the one before.
 */
export function hostCheck(known: ReadonlySet<string>): (header: string | undefined, localAddress: string | undefined) => boolean {
  let lastHeader: string | undefined;
  let lastAddress: string | undefined;
  return (header, localAddress) => {
    if (header !== undefined && header === lastHeader && localAddress === lastAddress) return true;
    if (!isOurHost(header, known, localAddress)) return false;
    lastHeader = header;
    lastAddress = localAddress;
    return true;
  };
}

/** True if there is no Origin, or if it is the API's own. */
export function isOurOrigin(origin: string | undefined, host: string | undefined): boolean {
  return origin === undefined || origin.toLowerCase() === `https://${(host ?? '').toLowerCase()}`;
}
