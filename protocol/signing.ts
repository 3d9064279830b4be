/**
 * Ed25519 over raw 32-byte keys. `node:crypto` signs and verifies (17 times faster than portable code); @noble/curves judges keys,
 * because OpenSSL also accepts points of small order, under which one signature can verify for many messages (RFC 8032 §8.9 leaves
 * the check to the protocol).
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { ed25519 } from '@noble/curves/ed25519.js';
import { type PeerKey, peerKeyBytes, peerKeyOf } from './ids.ts';

/** ASN.1 prefixes that make PKCS #8 and SPKI documents of raw keys (RFC 8410). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** Public keys kept parsed; enough for all members of a large domain. */
const MAX_PARSED_KEYS = 4096;

export interface SigningKey {
  readonly publicKey: PeerKey;
  /** The 32-byte secret seed. Never logged, never sent. */
  readonly seed: Uint8Array;
  /** 64-byte signature over `context` and `bytes`. */
  sign(context: SigningContext, bytes: Uint8Array): Uint8Array;
}

/** What a signature is about; the same bytes signed for one purpose never verify for another. */
export type SigningContext = 'fact' | 'enrolment' | 'witness' | 'leave' | 'entry' | 'binding' | 'lane';

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

/** True if the bytes are a canonical encoding of a point of the prime-order group: neither small nor mixed order. */
export function isSafePublicKey(bytes: Uint8Array): boolean {
  if (bytes.length !== 32) return false;
  try {
    const point = ed25519.Point.fromBytes(bytes);
    return !point.isSmallOrder() && point.isTorsionFree();
  } catch {
    return false;
  }
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

/** SHA-256 in hex, the name of every signed thing. */
export function hashHex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
