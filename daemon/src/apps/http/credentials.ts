/**
 * Finds tokens of dtkd's users in HTTP requests: as a bearer token, as the password of Basic (which browsers ask for by themselves), or in
 * a cookie. They are meant for the ingress alone, so no origin ever sees one, whichever app the request is for.
 */
import { fieldOf, type RequestHead } from './head.ts';

/** The prefix of every user token. */
const TOKEN_PREFIX = 'dtkd_';
/** Cookie that may hold a token. A login sets it on the host of one app. */
const TOKEN_COOKIE = 'dtkd_token';
const BEARER = /^bearer[ \t]+(dtkd_\S+)$/i;
const BASIC = /^basic[ \t]+([A-Za-z0-9+/=_-]{1,2048})$/i;
const COOKIE = new RegExp(`(?:^|;)[ \\t]*${TOKEN_COOKIE}=("?)(${TOKEN_PREFIX}[^;" \\t]*)\\1[ \\t]*(?=;|$)`, 'g');
/** As `COOKIE`, to remove the pair wherever it stands and whatever its value. */
const COOKIE_PAIRS = new RegExp(`(^|;)[ \\t]*${TOKEN_COOKIE}=[^;]*`, 'g');

/** Asks for a token in both schemes, for programs and for browsers. */
export const CHALLENGE = 'WWW-Authenticate: Bearer realm="dtkd"\r\nWWW-Authenticate: Basic realm="dtkd"\r\n';

/** The token that a request carries. Undefined if there is none, or if its cookies hold different ones. */
export function tokenOf(head: RequestHead): string | undefined {
  const authorization = fieldOf(head, 'authorization');
  const said = authorization === undefined ? undefined : tokenIn(authorization);
  if (said !== undefined) return said;
  const tokens = [...(fieldOf(head, 'cookie') ?? '').matchAll(COOKIE)].map((match) => match[2]);
  // A script on a neighbouring host can set a cookie for all hosts under the suffix, but cannot remove the cookie of this host.
  return tokens.every((token) => token === tokens[0]) ? tokens[0] : undefined;
}

/** The value of a field with any token removed; undefined if nothing is left. Only `authorization` and `cookie` can hold one. */
export function withoutToken(name: string, value: string): string | undefined {
  if (name === 'authorization') return tokenIn(value) === undefined ? value : undefined;
  if (name !== 'cookie' || !value.includes(TOKEN_COOKIE)) return value;
  const rest = value.replace(COOKIE_PAIRS, '').replace(/^[; \t]+/, '');
  return rest === '' ? undefined : rest;
}

function tokenIn(authorization: string): string | undefined {
  const bearer = BEARER.exec(authorization)?.[1];
  if (bearer !== undefined) return bearer;
  const basic = BASIC.exec(authorization)?.[1];
  if (basic === undefined) return undefined;
  const pair = Buffer.from(basic, 'base64').toString('latin1');
  const password = pair.slice(pair.indexOf(':') + 1);
  return password.startsWith(TOKEN_PREFIX) ? password : undefined;
}
