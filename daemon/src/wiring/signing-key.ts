/**
 * This node's signing key, with which it publishes modules and signs what its models deploy. Kept in the store, and the same in all
 * domains.
 */
import { generateSigningKey, type SigningKey, signingKeyFromSeed } from '../../../protocol/keys/signing.ts';
import type { Kv } from '../store/kv.ts';

const ROW = 'a/signing-key';

/** Reads the key, or creates and stores it. */
export async function openSigningKey(kv: Kv): Promise<SigningKey> {
  const seed = await kv.get(ROW);
  if (seed !== undefined) return signingKeyFromSeed(seed);
  const key = generateSigningKey();
  await kv.batch([{ type: 'put', key: ROW, value: key.seed }], { sync: true });
  return key;
}
