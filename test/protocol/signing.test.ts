import { describe, expect, it } from 'vitest';
import { peerKeyBytes, peerKeyOf } from '../../protocol/ids.ts';
import { generateSigningKey, isSafePublicKey, signingKeyFromSeed, verifySignature } from '../../protocol/signing.ts';

const bytes = Uint8Array.from([1, 2, 3]);

describe('signing', () => {
  it('verifies what it signed, for that purpose only', () => {
    const key = generateSigningKey();
    const signature = key.sign('fact', bytes);
    expect(verifySignature(key.publicKey, 'fact', bytes, signature)).toBe(true);
    expect(verifySignature(key.publicKey, 'entry', bytes, signature)).toBe(false);
    expect(verifySignature(generateSigningKey().publicKey, 'fact', bytes, signature)).toBe(false);
    expect(verifySignature(key.publicKey, 'fact', Uint8Array.from([1, 2, 4]), signature)).toBe(false);
  });

  it('gives the same key for the same seed', () => {
    const key = generateSigningKey();
    expect(signingKeyFromSeed(key.seed).publicKey).toBe(key.publicKey);
    expect(isSafePublicKey(peerKeyBytes(key.publicKey))).toBe(true);
  });

  it('refuses keys of small order, which OpenSSL would accept', () => {
    const identity = new Uint8Array(32);
    identity[0] = 1;
    expect(isSafePublicKey(identity)).toBe(false);
    expect(isSafePublicKey(new Uint8Array(32))).toBe(false);
    // With the identity as key, R = S·B verifies for any message: S = 0 and R = identity.
    const forged = new Uint8Array(64);
    forged[0] = 1;
    expect(verifySignature(peerKeyOf(identity), 'fact', bytes, forged)).toBe(false);
  });
});
