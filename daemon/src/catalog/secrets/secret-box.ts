/**
 * Encrypts values of secrets at rest: AES-256-GCM under this node's key, bound to the secret's name and the version of its value, so that
 * no row can replace another. Pure.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { decodeCbor, encodeCbor } from '../../../../protocol/encoding/cbor.ts';
import { DtkdError } from '../../../../protocol/errors.ts';

export const SECRET_KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

const row = z.object({
  v: z.literal(1),
  version: z.string().max(64),
  nonce: z.instanceof(Uint8Array),
  sealed: z.instanceof(Uint8Array),
  tag: z.instanceof(Uint8Array),
});

function bound(name: string, version: string): Buffer {
  return Buffer.from(`dtkd/1/secret\n${name}\n${version}`);
}

/** Encrypts a value as a row. */
export function sealValue(key: Uint8Array, name: string, version: string, value: Uint8Array): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(bound(name, version));
  const sealed = Buffer.concat([cipher.update(value), cipher.final()]);
  return encodeCbor({ v: 1, version, nonce, sealed, tag: cipher.getAuthTag() });
}

/** Decrypts the value in a row. Errors: INTERNAL if the key is a different one, or the row was altered. */
export function openValue(key: Uint8Array, name: string, bytes: Uint8Array): Buffer {
  try {
    const { version, nonce, sealed, tag } = decodeCbor(bytes, row, 'a row of a secret');
    if (tag.length !== TAG_BYTES) throw new Error('the tag is cut');
    const decipher = createDecipheriv('aes-256-gcm', key, nonce);
    decipher.setAAD(bound(name, version));
    decipher.setAuthTag(tag);
    return Buffer.concat([decipher.update(sealed), decipher.final()]);
  } catch (cause) {
    throw new DtkdError('INTERNAL', `the value of the secret ${name} cannot be opened with the key of this node`, {
      next: `Set it again: dtkd secret set ${name}.`,
      cause,
    });
  }
}
