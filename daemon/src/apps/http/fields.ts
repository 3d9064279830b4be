/**
 * Decides which header fields cross the proxy, and how. Hop-by-hop fields end here. Fields by which a proxy vouches for its client are
 * removed and written anew. Cookies stay on the host that set them.
 */
import { withoutToken } from './credentials.ts';
import type { RequestHead, ResponseHead } from './head.ts';

const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
  'content-length',
  'http2-settings',
]);
/**
 * Meant for a proxy, never for or from an origin. `proxy` is meant for nobody, and CGI would take it for the proxy setting of its own HTTP
 * clients.
 */
const PROXY_ONLY = new Set(['proxy', 'proxy-authorization', 'proxy-authenticate', 'proxy-authentication-info']);
/** Fields by which a proxy vouches for its client. `_` counts as `-`, since CGI and its descendants cannot tell them apart. */
const VOUCHED = /^(?:forwarded|x-forwarded-.*|x-real-ip|x-(?:cluster-)?client-ip|x-original-.*|x-rewrite-url|x-dtkd-.*)$/;
/** Fields that a trailer must not carry: framing, routing, authentication, control data (RFC 9110 §6.5.1). */
const NOT_IN_TRAILERS =
  /^(?:content-(?:length|encoding|type|range)|transfer-encoding|connection|keep-alive|upgrade|te|trailer|host|authorization|proxy-.*|cookie|set-cookie|expect|cache-control|max-forwards|range|age|date|expires|location|retry-after|vary|www-authenticate|forwarded|x-forwarded-.*|x-real-ip|x-original-.*|x-dtkd-.*)$/;

function isVouched(name: string): boolean {
  const first = name.charCodeAt(0);
  // A cheap check first: only names that begin with f or x can match.
  if (first !== 102 && first !== 120) return false;
  return VOUCHED.test(name.includes('_') ? name.replaceAll('_', '-') : name);
}

/** What this proxy tells origins about the client. */
export interface ClientFacts {
  /** IP address of the client. */
  address: string;
  /** The member from which the request came. Set only where the app's owner serves it. */
  node?: string;
}

/** The fields of a request to pass to the origin, without framing: `name: value` lines ending in CR LF. */
export function requestFields(head: RequestHead, client: ClientFacts, upgrade: boolean): string {
  let out = '';
  const { names, fields, connection } = head;
  for (let index = 0; index < names.length; index += 1) {
    const name = names[index] ?? '';
    if (HOP_BY_HOP.has(name) || PROXY_ONLY.has(name) || isVouched(name)) continue;
    if (connection.length > 0 && connection.includes(name)) continue;
    if (name === 'expect' && head.version === '1.0') continue;
    const value = withoutToken(name, fields[index * 2 + 1] ?? '');
    if (value !== undefined) out += `${fields[index * 2]}: ${value}\r\n`;
  }
  if (upgrade) out += `Connection: Upgrade\r\nUpgrade: ${head.upgrade}\r\n`;
  else if (acceptsTrailers(head)) out += 'Connection: TE\r\nTE: trailers\r\n';
  return out + vouch(head, client);
}

function acceptsTrailers(head: RequestHead): boolean {
  const index = head.names.indexOf('te');
  return index >= 0 && /(?:^|,)[ \t]*trailers[ \t]*(?:,|$)/i.test(head.fields[index * 2 + 1] ?? '');
}

function vouch(head: RequestHead, client: ClientFacts): string {
  const node = client.node === undefined ? '' : `X-Dtkd-Node: ${client.node}\r\n`;
  const address = client.address.includes(':') ? `"[${client.address}]"` : client.address;
  return `X-Forwarded-For: ${client.address}\r\nX-Forwarded-Host: ${head.authority}\r\nX-Forwarded-Proto: http\r\nForwarded: for=${address};host="${head.authority}";proto=http\r\n${node}`;
}

/** The fields of a response to pass to the client, without framing. */
export function responseFields(head: ResponseHead, upgrade: boolean): string {
  let out = '';
  const { names, fields, connection } = head;
  for (let index = 0; index < names.length; index += 1) {
    const name = names[index] ?? '';
    if (HOP_BY_HOP.has(name) || PROXY_ONLY.has(name)) continue;
    if (connection.length > 0 && connection.includes(name)) continue;
    const value = ownHostOnly(name, fields[index * 2 + 1] ?? '');
    if (value !== undefined) out += `${fields[index * 2]}: ${value}\r\n`;
  }
  if (upgrade) out += `Connection: Upgrade\r\nUpgrade: ${head.upgrade}\r\n`;
  return out;
}

/** The value of a response field without anything that would affect neighbouring hosts; undefined if nothing is left. */
function ownHostOnly(name: string, value: string): string | undefined {
  if (name === 'set-cookie') return withoutDomain(value);
  return name === 'clear-site-data' ? withoutCookies(value) : value;
}

/**
 * A Clear-Site-Data value without "cookies", which browsers apply to all hosts under the same suffix. `"*"` becomes everything else, which
 * concerns this host only.
 */
function withoutCookies(directives: string): string | undefined {
  const kept = directives
    .split(',')
    .map((directive) => directive.trim())
    .filter((directive) => !/^"?cookies"?$/i.test(directive))
    .map((directive) => (directive === '"*"' ? '"cache", "storage", "executionContexts"' : directive));
  return kept.length === 0 ? undefined : kept.join(', ');
}

/** A Set-Cookie value without `Domain`: a cookie of one app must not reach its neighbours under the same suffix. */
function withoutDomain(cookie: string): string {
  const [pair = '', ...attributes] = cookie.split(';');
  const kept = attributes.filter((attribute) => attribute.split('=', 1)[0]?.trim().toLowerCase() !== 'domain');
  return kept.length === attributes.length ? cookie : [pair, ...kept].join(';');
}

// Unambiguous, so matching is linear in the length of the line.
const TRAILER_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t -~\x80-\xff]*)$/;

/** The trailers that may pass, as lines. Undefined if the block is invalid. */
export function trailerFields(block: string): string | undefined {
  if (block === '') return '';
  let out = '';
  for (const line of block.slice(0, -2).split('\r\n')) {
    const match = TRAILER_LINE.exec(line);
    if (match === null) return undefined;
    const name = (match[1] ?? '').toLowerCase().replaceAll('_', '-');
    if (!NOT_IN_TRAILERS.test(name)) out += `${match[1]}: ${(match[2] ?? '').replace(/^[ \t]+/, '')}\r\n`;
  }
  return out;
}
