/**
 * Ed25519 with raw 32-byte keys. `node:crypto` signs and verifies (17 times faster than portable code). Keys are checked here, because
 * OpenSSL also accepts points of small order, under which one signature can verify for many messages (RFC 8032 §8.9 leaves the check to
 * the protocol), and non-canonical encodings of points.
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { type PeerKey, peerKeyBytes, peerKeyOf } from '../ids.ts';

/** ASN.1 prefixes that turn raw keys into PKCS #8 and SPKI documents (RFC 8410). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** Size of the cache of parsed public keys: enough for all members of a large domain. */
const MAX_PARSED_KEYS = 4096;

export interface SigningKey {
  readonly publicKey: PeerKey;
  /** The 32-byte secret seed. Never logged, never sent. */
  readonly seed: Uint8Array;
  /** 64-byte signature over `context` and `bytes`. */
  sign(context: SigningContext, bytes: Uint8Array): Uint8Array;
}

/** What a signature is for. Bytes signed for one purpose never verify for another. */
export type SigningContext =
  | 'fact'
  | 'enrolment'
  | 'witness'
  | 'leave'
  | 'entry'
  | 'audit'
  | 'module'
  | 'bundle'
  | 'order'
  | 'answer'
  | 'parcel';

function message(context: SigningContext, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`dtkd/1/${context}\n`), bytes]);
}

export function signingKeyFromSeed(seed: Uint8Array): SigningKey {
  if (seed.length !== 32) throw new RangeError('an ed25519 seed is 32 bytes');
  const secret = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(secret).export({ format: 'der', type: 'spki' });
  const publicKey = peerKeyOf(spki.subarray(SPKI_PREFIX.length));
  return { publicKey, seed, sign: (context, bytes) => Uint8Array.from(sign(null, message(context, bytes), secret)) };
}

export function generateSigningKey(): SigningKey {
  const pkcs8 = generateKeyPairSync('ed25519').privateKey.export({ format: 'der', type: 'pkcs8' });
  return signingKeyFromSeed(Uint8Array.from(pkcs8.subarray(PKCS8_PREFIX.length)));
}

const parsed = new Map<PeerKey, KeyObject | undefined>();

function parseKey(key: PeerKey): KeyObject | undefined {
  if (!isSafePublicKey(peerKeyBytes(key))) return undefined;
  return createPublicKey({ key: Buffer.concat([SPKI_PREFIX, peerKeyBytes(key)]), format: 'der', type: 'spki' });
}

/** The field's prime, 2^255 - 19. */
const PRIME = 2n ** 255n - 19n;
/** The y coordinates of the eight points of small order: of orders 2, 1, 4 and, twice, 8. */
const SMALL_ORDER: ReadonlySet<bigint> = new Set([
  PRIME - 1n,
  1n,
  0n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
]);

/**
 * True if the bytes may be a public key: y is canonical, and not that of a point of small order. Whether the point exists, OpenSSL checks
 * when it verifies. (Multiplying by the group's order, to refuse points of mixed order as well, would cost ten times as much as the rest;
 * such a key only lets its own holder choose among several signatures.)
 */
export function isSafePublicKey(bytes: Uint8Array): boolean {
  if (bytes.length !== 32) return false;
  const y = BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`) & ((1n << 255n) - 1n);
  return y < PRIME && !SMALL_ORDER.has(y);
}

/** True if `signature` over `context` and `bytes` verifies under `key`. Never throws. */
export function verifySignature(key: PeerKey, context: SigningContext, bytes: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64) return false;
  let object = parsed.get(key);
  if (object === undefined && !parsed.has(key)) {
    object = parseKey(key);
    if (parsed.size >= MAX_PARSED_KEYS) parsed.delete(parsed.keys().next().value as PeerKey);
    parsed.set(key, object);
  }
  return object !== undefined && verify(null, message(context, bytes), object, signature);
}

/** SHA-256 in hex, which names every signed item. */
export function hashHex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
