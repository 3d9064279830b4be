/**
 * Invite tokens: what somebody needs to join a domain, as one line of base64url.
 *
 *     version (1 byte) · length of body (2 bytes) · body (CBOR) · first 4 bytes of SHA-256 of all before
 *
 * The body names the domain and its root key, hints where members may be found, and contains the invite key's secret and the root's
 * grant. The length tells a truncated token from a mistyped one. Parsing also verifies the grant's signature, so a token that parses was
 * made by the holder of the root key that it names.
 */
import { z } from 'zod';
import { decodeCbor, encodeCbor } from '../encoding/cbor.ts';
import { bytesOf, bytesUpTo, domainId, domainName, peerKey } from '../encoding/fields.ts';
import { DtkdError } from '../errors.ts';
import type { DomainId, PeerKey } from '../ids.ts';
import { hashHex, type SigningKey, signingKeyFromSeed, verifySignature } from '../keys/signing.ts';
import { MAX_ITEM_BYTES, MAX_TOKEN_HINT_LENGTH, MAX_TOKEN_HINTS, MAX_TOKEN_LENGTH } from '../limits.ts';
import { type Grant, isItemOf, type ParsedItem, parseItem } from './facts.ts';

const VERSION = 1;
/** A first byte above this is not a future version, but some other text. */
const MAX_PLAUSIBLE_VERSION = 15;
const HEAD_BYTES = 3;
const CHECKSUM_BYTES = 4;

const hint = z.string().min(1).max(MAX_TOKEN_HINT_LENGTH);

const body = z.object({
  name: domainName,
  /** Absent if it equals the grant's `by`, as it does until the root is rotated. */
  domain: domainId.optional(),
  root: peerKey,
  hints: z.array(hint).max(MAX_TOKEN_HINTS),
  seed: bytesOf(32),
  grant: bytesUpTo(MAX_ITEM_BYTES),
});

export interface Token {
  domain: DomainId;
  domainName: string;
  /** The root's public key when the token was made. */
  root: PeerKey;
  /** `host:port` of members. */
  hints: string[];
  /** The invite key. Its secret never crosses the wire. */
  invite: SigningKey;
  grant: ParsedItem<Grant>;
}

export interface TokenParts {
  domain: DomainId;
  domainName: string;
  root: PeerKey;
  hints: readonly string[];
  invite: SigningKey;
  /** The grant's envelope. */
  grant: Uint8Array;
}

/** Formats a token. Leaves out hints beyond the limits. */
export function formatToken(parts: TokenParts): string {
  const { fact } = parseItem(parts.grant);
  if (fact.type !== 'grant') throw new TypeError('a token needs a grant');
  const encoded = encodeCbor(
    z.encode(body, {
      name: parts.domainName,
      ...(fact.by === parts.domain ? {} : { domain: parts.domain }),
      root: parts.root,
      hints: parts.hints.filter((text) => hint.safeParse(text).success).slice(0, MAX_TOKEN_HINTS),
      seed: parts.invite.seed,
      grant: parts.grant,
    }),
  );
  const head = Buffer.from([VERSION, encoded.length >> 8, encoded.length & 0xff]);
  const checked = Buffer.concat([head, encoded]);
  return Buffer.concat([checked, checksum(checked)]).toString('base64url');
}

/** Parses a token. Ignores white space, such as line breaks from copying. Throws TOKEN_MALFORMED, saying what is wrong with it. */
export function parseToken(text: string): Token {
  const bytes = toBytes(text);
  const checked = bytes.subarray(0, -CHECKSUM_BYTES);
  if (!checksum(checked).equals(bytes.subarray(-CHECKSUM_BYTES)))
    throw malformed('it was mistyped or changed: its checksum does not match');
  try {
    return fromBody(checked.subarray(HEAD_BYTES));
  } catch (cause) {
    if (cause instanceof DtkdError && cause.code === 'TOKEN_MALFORMED') throw cause;
    throw malformed('its content is not as expected', cause);
  }
}

function toBytes(text: string): Buffer {
  if (text.length > 2 * MAX_TOKEN_LENGTH) throw malformed(`it is longer than ${MAX_TOKEN_LENGTH} characters`);
  const compact = text.replace(/\s+/g, '');
  if (compact.length === 0) throw malformed('it is empty');
  if (/^dtkd-(recovery|root)-/.test(compact)) throw malformed('this is a key of the domain, not an invite; do not show it to anybody');
  if (compact.length > MAX_TOKEN_LENGTH) throw malformed(`it is longer than ${MAX_TOKEN_LENGTH} characters`);
  const stray = /[^A-Za-z0-9_-]/.exec(compact);
  if (stray !== null) {
    throw malformed(`character ${stray.index + 1} (${JSON.stringify(stray[0])}) is not one of A-Z, a-z, 0-9, "-" and "_"`);
  }
  const bytes = Buffer.from(compact, 'base64url');
  const version = bytes[0];
  if (version === undefined || version < VERSION || version > MAX_PLAUSIBLE_VERSION) throw malformed('it does not begin like a token');
  if (version !== VERSION) throw malformed(`it is of version ${version}, but this dtkd knows only version ${VERSION}`);
  const expected = HEAD_BYTES + (bytes.length < HEAD_BYTES ? 0 : bytes.readUInt16BE(1)) + CHECKSUM_BYTES;
  const characters = Math.ceil((expected * 8) / 6);
  if (bytes.length < expected) throw malformed(`it is truncated: ${compact.length} of ${characters} characters`);
  if (bytes.length > expected) throw malformed(`it is too long: ${compact.length} characters instead of ${characters}`);
  // Stray bits after the last byte: the text has one character too many.
  if (bytes.toString('base64url') !== compact) throw malformed(`it is too long: ${compact.length} characters instead of ${characters}`);
  return bytes;
}

function fromBody(encoded: Uint8Array): Token {
  const fields = decodeCbor(encoded, body, 'the token');
  const grant = parseItem(fields.grant);
  if (!isItemOf(grant, 'grant')) throw malformed('it holds no grant');
  const invite = signingKeyFromSeed(fields.seed);
  if (grant.fact.key !== invite.publicKey) throw malformed('its secret does not belong to its grant');
  if (!verifySignature(fields.root, 'fact', grant.payload, grant.signature))
    throw malformed('its grant is not signed by the root key in it');
  return {
    domain: fields.domain ?? (grant.fact.by as DomainId),
    domainName: fields.name,
    root: fields.root,
    hints: fields.hints,
    invite,
    grant,
  };
}

function checksum(bytes: Uint8Array): Buffer {
  return Buffer.from(hashHex(bytes).slice(0, 2 * CHECKSUM_BYTES), 'hex');
}

function malformed(why: string, cause?: unknown): DtkdError {
  return new DtkdError('TOKEN_MALFORMED', `the invite token cannot be read: ${why}`, {
    next: 'Copy the whole token again, or ask the founder for a new one ("dtkd domain invite").',
    ...(cause === undefined ? {} : { cause }),
  });
}
