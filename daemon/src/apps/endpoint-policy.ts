/** Decides which addresses an app may lead to. Pure. Takes IP addresses only, so that the address checked is the address dialled. */
import { BlockList, isIP, isIPv4 } from 'node:net';
import type { HostPort } from './ports.ts';

export interface EndpointRules {
  /** What this daemon itself listens on. */
  ownListeners: readonly HostPort[];
  /** This machine's own addresses. */
  localAddresses: ReadonlySet<string>;
  /** True if the local operator wrote the endpoint. The operator may also name loopback and link-local addresses. */
  byOperator: boolean;
}

function blockList(subnets: readonly [string, number][]): BlockList {
  const list = new BlockList();
  for (const [net, prefix] of subnets) list.addSubnet(net, prefix, isIPv4(net) ? 'ipv4' : 'ipv6');
  return list;
}

const LOOPBACK = blockList([
  ['127.0.0.0', 8],
  ['::1', 128],
]);
const LINK_LOCAL = blockList([
  ['169.254.0.0', 16],
  ['fe80::', 10],
]);
/** "This host" in any form, multicast and broadcast: never the address of one service. */
const NEVER = blockList([
  ['0.0.0.0', 8],
  ['::', 128],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  ['ff00::', 8],
]);

const WILDCARDS = new Set(['', '0.0.0.0', '::']);

/**
 * The canonical form of an address: IPv4 written as IPv6 (`::ffff:127.0.0.1`, `::127.0.0.1`) becomes IPv4, anything else lower case. Drops
 * brackets and zones.
 */
export function plainAddress(ip: string): string {
  const text = ip
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/%.*$/, '');
  if (isIP(text) !== 6) return text;
  // The URL parser knows every way to write an IPv6 address.
  const canonical = new URL(`http://[${text}]`).hostname.slice(1, -1);
  const mapped = /^::(?:ffff:)?([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical);
  if (mapped === null) return canonical;
  const high = Number.parseInt(mapped[1] ?? '0', 16);
  const low = Number.parseInt(mapped[2] ?? '0', 16);
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

function within(list: BlockList, ip: string): boolean {
  const family = isIP(ip);
  return family !== 0 && list.check(ip, family === 4 ? 'ipv4' : 'ipv6');
}

/** Why an endpoint must not be dialled, or undefined if it may. */
export function refusedEndpoint(address: string, port: number, rules: EndpointRules): string | undefined {
  const ip = plainAddress(address);
  if (isIP(ip) === 0) return 'is not an IP address';
  if (within(NEVER, ip)) return 'is not the address of one host';
  if (!rules.byOperator && (within(LOOPBACK, ip) || within(LINK_LOCAL, ip))) return 'may be used only by the local operator';
  return isOwnListener(ip, port, rules) ? 'is a port of dtkd itself' : undefined;
}

function isOwnListener(ip: string, port: number, rules: EndpointRules): boolean {
  const local = within(LOOPBACK, ip) || rules.localAddresses.has(ip);
  return rules.ownListeners.some((listener) => {
    if (listener.port !== port) return false;
    const host = plainAddress(listener.host);
    return WILDCARDS.has(host) ? local : host === ip || (host === 'localhost' && within(LOOPBACK, ip));
  });
}
