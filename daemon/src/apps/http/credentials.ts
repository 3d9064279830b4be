/**
 * Tokens of dtkd's users in HTTP requests: as a bearer, as the password of Basic (which is what a browser asks for by itself), or in a
 * cookie. They are for the ingress alone: no origin gets to see one, whatever app the request is for.
 */
import { fieldOf, type RequestHead } from './head.ts';

/** What every user's token begins with. */
const TOKEN_PREFIX = 'dtkd_';
/** Cookie that may hold a token; set by whoever logs in, on the host of one app. */
const TOKEN_COOKIE = 'dtkd_token';
const BEARER = /^bearer[ \t]+(dtkd_\S+)$/i;
const BASIC = /^basic[ \t]+([A-Za-z0-9+/=_-]{1,2048})$/i;
const COOKIE = new RegExp(`(?:^|;)[ \\t]*${TOKEN_COOKIE}=("?)(${TOKEN_PREFIX}[^;" \\t]*)\\1[ \\t]*(?=;|$)`, 'g');
/** As `COOKIE`, to take the pair away wherever it stands and whatever it holds. */
const COOKIE_PAIRS = new RegExp(`(^|;)[ \\t]*${TOKEN_COOKIE}=[^;]*`, 'g');

/** Asks for a token, in the two ways that programs and browsers know. */
export const CHALLENGE = 'WWW-Authenticate: Bearer realm="dtkd"\r\nWWW-Authenticate: Basic realm="dtkd"\r\n';

/** The token that a request bears; undefined if there is none, or there are several in cookies. */
export function tokenOf(head: RequestHead): string | undefined {
  const authorization = fieldOf(head, 'authorization');
  const said = authorization === undefined ? undefined : tokenIn(authorization);
  if (said !== undefined) return said;
  const tokens = [...(fieldOf(head, 'cookie') ?? '').matchAll(COOKIE)].map((match) => match[2]);
  // A script of a neighbour can set a cookie for all hosts under the same suffix, but cannot take away the one of this host.
  return tokens.every((token) => token === tokens[0]) ? tokens[0] : undefined;
}

/** The value of a field without a token: undefined if nothing is left of it. Only `authorization` and `cookie` can hold one. */
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
