import { ed25519 } from '@noble/curves/ed25519.js';
import { describe, expect, it } from 'vitest';
import { peerKeyBytes, peerKeyOf } from '../../../protocol/ids.ts';
import { generateSigningKey, isSafePublicKey, signingKeyFromSeed, verifySignature } from '../../../protocol/keys/signing.ts';

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

  it('refuses all points of small order, in each encoding, and what is not canonical', () => {
    const { Point } = ed25519;
    // A generator of the torsion group: the part of small order of a point of mixed order.
    const mixed = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05');
    const encodings = new Set<string>();
    for (let point = mixed, left = 8; left > 0; point = point.add(mixed), left -= 1) encodings.add(point.toHex());
    expect(encodings.size).toBe(8);
    for (const hex of encodings) {
      const encoding = Buffer.from(hex, 'hex');
      expect(isSafePublicKey(encoding)).toBe(false);
      encoding[31] = (encoding[31] ?? 0) ^ 0x80;
      expect(isSafePublicKey(encoding)).toBe(false);
    }
    const prime = 2n ** 255n - 19n;
    for (let above = 0n; above < 19n; above += 1n) {
      const encoding = Buffer.from((prime + above).toString(16).padStart(64, '0'), 'hex').reverse();
      expect(isSafePublicKey(encoding)).toBe(false);
    }
    expect(isSafePublicKey(new Uint8Array(31))).toBe(false);
  });

  it('verifies nothing under bytes that are no point', () => {
    const bytesOfNoPoint = new Uint8Array(32);
    bytesOfNoPoint[0] = 2;
    expect(() => ed25519.Point.fromBytes(bytesOfNoPoint)).toThrow();
    const signature = generateSigningKey().sign('fact', bytes);
    expect(verifySignature(peerKeyOf(bytesOfNoPoint), 'fact', bytes, signature)).toBe(false);
  });
});
