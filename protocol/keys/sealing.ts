/**
 * Sealed boxes for members: anybody may seal one to an ed25519 key, and only the holder of that key can open it. X25519 between a fresh
 * key and the Montgomery form of the member's key, HKDF-SHA-256 over both public keys, AES-256-GCM. A box does not authenticate its
 * sender: its content has to be signed. Pure.
 */
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
} from 'node:crypto';
import { ed25519 } from '@noble/curves/ed25519.js';
import { DtkdError } from '../errors.ts';
import { isSafePublicKey } from './signing.ts';

/** First byte of a box: the version of this scheme. */
const VERSION = 1;
const KEY_BYTES = 32;
const TAG_BYTES = 16;
/** How many bytes longer a box is than its content. */
export const SEAL_OVERHEAD_BYTES = 1 + KEY_BYTES + TAG_BYTES;

/** ASN.1 prefixes that turn raw X25519 keys into SPKI and PKCS #8 documents (RFC 8410). */
const SPKI_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');
const PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');

function publicKeyOf(raw: Uint8Array) {
  return createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: 'der', type: 'spki' });
}

function rawPublic(key: ReturnType<typeof createPublicKey>): Buffer {
  return key.export({ format: 'der', type: 'spki' }).subarray(SPKI_PREFIX.length);
}

/** Derives the key and nonce of one box. Both are used only once, since the sender's key is. */
function derive(shared: Uint8Array, sender: Uint8Array, receiver: Uint8Array): { key: Buffer; nonce: Buffer } {
  const info = Buffer.concat([Buffer.from('dtkd/1/sealed\n'), sender, receiver]);
  const bytes = Buffer.from(hkdfSync('sha256', shared, Buffer.alloc(0), info, KEY_BYTES + 12));
  return { key: bytes.subarray(0, KEY_BYTES), nonce: bytes.subarray(KEY_BYTES) };
}

/** Seals bytes to the holder of an ed25519 key (64 hex digits). Errors: KEY_WRONG if that is not a valid key. */
export function seal(targetKey: string, bytes: Uint8Array): Uint8Array {
  const receiver = montgomery(targetKey);
  const pair = generateKeyPairSync('x25519');
  const sender = rawPublic(pair.publicKey);
  const shared = diffieHellman({ privateKey: pair.privateKey, publicKey: publicKeyOf(receiver) });
  const { key, nonce } = derive(shared, sender, receiver);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  const head = Buffer.concat([Buffer.from([VERSION]), sender]);
  cipher.setAAD(head);
  return Uint8Array.from(Buffer.concat([head, cipher.update(bytes), cipher.final(), cipher.getAuthTag()]));
}

function montgomery(key: string): Uint8Array {
  const raw = Buffer.from(key, 'hex');
  try {
    if (isSafePublicKey(raw)) return ed25519.utils.toMontgomery(Uint8Array.from(raw));
  } catch {
    // Not a point of the curve.
  }
  throw new DtkdError('KEY_WRONG', 'nothing can be sealed to this: it is not a key');
}

/**
 * Opens a box with the 32-byte seed of the ed25519 key that it was sealed to. Undefined if it was sealed to another key or altered. Never
 * throws.
 */
export function unseal(seed: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
  if (sealed.length < SEAL_OVERHEAD_BYTES || sealed[0] !== VERSION) return undefined;
  try {
    const secret = Buffer.from(ed25519.utils.toMontgomerySecret(Uint8Array.from(seed)));
    const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, secret]), format: 'der', type: 'pkcs8' });
    const sender = sealed.subarray(1, 1 + KEY_BYTES);
    // OpenSSL refuses keys of small order, with which everybody would know the shared secret.
    const shared = diffieHellman({ privateKey, publicKey: publicKeyOf(sender) });
    const { key, nonce } = derive(shared, sender, rawPublic(createPublicKey(privateKey)));
    const decipher = createDecipheriv('aes-256-gcm', key, nonce);
    decipher.setAAD(sealed.subarray(0, 1 + KEY_BYTES));
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    return Uint8Array.from(Buffer.concat([decipher.update(sealed.subarray(1 + KEY_BYTES, -TAG_BYTES)), decipher.final()]));
  } catch {
    return undefined;
  }
}
