/**
 * Secret keys as people keep them: `dtkd-recovery-1-…` and `dtkd-root-1-…`, where … is base64url of the 32-byte seed and a four-byte
 * checksum. The checksum covers the prefix, so that one kind of key is never taken for the other.
 */
import { DtkdError } from '../errors.ts';
import { hashHex, type SigningKey, signingKeyFromSeed } from './signing.ts';

export type KeyPurpose = 'recovery' | 'root';

const SEED_BYTES = 32;
const CHECKSUM_BYTES = 4;
/** Base64url without padding of 36 bytes. */
const BODY = /^[A-Za-z0-9_-]{48}$/;
const ANY_KEY = /^dtkd-(recovery|root)-(\d{1,3})-/;

const NAMES: Record<KeyPurpose, string> = { recovery: 'recovery key', root: 'root key' };
const SOURCES: Record<KeyPurpose, string> = {
  recovery: 'It was printed once, when the domain was created or the root was last rotated.',
  root: 'Get it with "dtkd domain root export" on the node that holds it.',
};

export function formatKey(purpose: KeyPurpose, key: SigningKey): string {
  const prefix = prefixOf(purpose);
  return prefix + Buffer.concat([key.seed, checksum(prefix, key.seed)]).toString('base64url');
}

/** Reads a key. Ignores white space, such as line breaks from copying. Throws KEY_WRONG, saying what is wrong. Never shows the key. */
export function parseKey(purpose: KeyPurpose, text: string): SigningKey {
  const compact = text.slice(0, 512).replace(/\s+/g, '');
  const prefix = prefixOf(purpose);
  const [, kind, version] = ANY_KEY.exec(compact) ?? [];
  if (kind === undefined) throw wrong(purpose, `the text is not a ${NAMES[purpose]}: it does not begin with "${prefix}"`);
  if (kind !== purpose) throw wrong(purpose, `this is a ${kind} key, but a ${NAMES[purpose]} is needed`);
  if (version !== '1') throw wrong(purpose, `this ${NAMES[purpose]} is of version ${version}, which this dtkd does not know`);
  const body = compact.slice(prefix.length);
  if (!BODY.test(body)) throw wrong(purpose, `the ${NAMES[purpose]} is incomplete: ${body.length} of 48 characters follow the prefix`);
  const bytes = Uint8Array.from(Buffer.from(body, 'base64url'));
  const seed = bytes.subarray(0, SEED_BYTES);
  if (!checksum(prefix, seed).equals(bytes.subarray(SEED_BYTES))) {
    throw wrong(purpose, `the ${NAMES[purpose]} was mistyped: its checksum does not match`);
  }
  return signingKeyFromSeed(seed);
}

function prefixOf(purpose: KeyPurpose): string {
  return `dtkd-${purpose}-1-`;
}

function checksum(prefix: string, seed: Uint8Array): Buffer {
  return Buffer.from(hashHex(Buffer.concat([Buffer.from(prefix), seed])).slice(0, 2 * CHECKSUM_BYTES), 'hex');
}

function wrong(purpose: KeyPurpose, message: string): DtkdError {
  return new DtkdError('KEY_WRONG', message, { next: SOURCES[purpose] });
}
