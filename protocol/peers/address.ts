/** Addresses of nodes as people write them: `1.2.3.4`, `host:port`, `[v6]:port`, a DNS name, or a multiaddr. */
import { isIP, isIPv6 } from 'node:net';
import { DtkdError } from '../errors.ts';

export const DEFAULT_MESH_PORT = 7701;

/** A DNS name is at most 253 characters; a multiaddr with a peer id fits in twice that. */
const MAX_ADDRESS_LENGTH = 512;

const DNS_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)*\.?$/i;
const PORT = /^\d{1,5}$/;

export interface Address {
  /** An IP address without brackets, or a DNS name. */
  host: string;
  port: number;
}

/** Parses any of the forms. Throws ADDRESS_INVALID. */
export function parseAddress(text: string, defaultPort: number = DEFAULT_MESH_PORT): Address {
  const trimmed = text.trim();
  if (trimmed.length === 0 || trimmed.length > MAX_ADDRESS_LENGTH) throw invalid(text);
  if (trimmed.startsWith('/')) return parseMultiaddr(trimmed);
  if (isIPv6(trimmed)) return { host: trimmed.toLowerCase(), port: defaultPort };
  const bracketed = /^\[([^\]]+)\](?::(\d+))?$/.exec(trimmed);
  if (bracketed !== null) {
    const host = bracketed[1] ?? '';
    if (!isIPv6(host)) throw invalid(text);
    return { host: host.toLowerCase(), port: bracketed[2] === undefined ? defaultPort : parsePort(bracketed[2], text) };
  }
  const [host = '', port, ...more] = trimmed.split(':');
  if (more.length > 0) throw invalid(text);
  return { host: parseHost(host, text), port: port === undefined ? defaultPort : parsePort(port, text) };
}

/** Formats an address. Leaves out the default port. */
export function formatAddress({ host, port }: Address, defaultPort: number = DEFAULT_MESH_PORT): string {
  if (port === defaultPort) return host;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** True for loopback, private, link-local and carrier-grade NAT addresses, where frequent retries cost nobody anything. */
export function isLanAddress(host: string): boolean {
  if (host === 'localhost') return true;
  if (isIPv6(host)) {
    const low = host.toLowerCase();
    const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(low)?.[1];
    if (mapped !== undefined) return isLanAddress(mapped);
    return low === '::1' || /^f[cd]/.test(low) || /^fe[89ab]/.test(low);
  }
  const [a = -1, b = -1] = host.split('.').map(Number);
  if (isIP(host) !== 4) return false;
  return (
    a === 10 ||
    a === 127 ||
    (a === 172 && b >= 16 && b <= 31) ||
    (a === 192 && b === 168) ||
    (a === 169 && b === 254) ||
    (a === 100 && b >= 64 && b <= 127)
  );
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** Parses `/ip4|ip6|dns|dns4|dns6/HOST/tcp/PORT[/p2p/ID]`. Other transports are not supported. */
function parseMultiaddr(text: string): Address {
  const [, kind, host = '', transport, port = '', ...rest] = text.replace(/\/$/, '').split('/');
  if (transport !== 'tcp' || (rest.length > 0 && !(rest.length === 2 && (rest[0] === 'p2p' || rest[0] === 'ipfs')))) throw invalid(text);
  const fits =
    (kind === 'ip4' && isIP(host) === 4) ||
    (kind === 'ip6' && isIPv6(host)) ||
    ((kind === 'dns' || kind === 'dns4' || kind === 'dns6') && isIP(host) === 0 && DNS_NAME.test(host));
  if (!fits) throw invalid(text);
  return { host: host.toLowerCase(), port: parsePort(port, text) };
}

function parseHost(host: string, text: string): string {
  if (isIP(host) === 4) return host;
  // Only digits and dots, but not an IPv4 address: a typing error, never a DNS name.
  if (!DNS_NAME.test(host) || /^[\d.]+$/.test(host)) throw invalid(text);
  return host.toLowerCase();
}

function parsePort(port: string, text: string): number {
  const number = Number(port);
  if (!PORT.test(port) || number < 1 || number > 65_535) throw invalid(text);
  return number;
}

function invalid(text: string): DtkdError {
  return new DtkdError('ADDRESS_INVALID', `"${text.slice(0, 80)}" is not an address`, {
    next: 'Give an IP address, a host name, host:port, [IPv6]:port, or a multiaddr such as /ip4/192.0.2.1/tcp/7701.',
  });
}
