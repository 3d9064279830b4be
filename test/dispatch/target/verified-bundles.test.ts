import { describe, expect, it } from 'vitest';
import { VerifiedBundles } from '../../../daemon/src/dispatch/target/install/verified-bundles.ts';
import { inlineCode } from '../../../protocol/definitions/code.ts';
import { generateSigningKey } from '../../../protocol/keys/signing.ts';
import { signBundle } from '../../../protocol/orders/signed-bundle.ts';

const KEY = generateSigningKey();
const COMMANDS = { Start: { script: { inline: 'true' } } };

function signed(revision: number): Uint8Array {
  const resource = {
    object: 'web1',
    uid: 'u1',
    model: 'shop',
    type: 'Web',
    name: 'web1',
    labels: {},
    properties: {},
    parents: [],
    children: [],
    deployments: [],
  };
  const types = { web: { name: 'Web', code: inlineCode('Web', COMMANDS, KEY.publicKey), commands: COMMANDS } };
  return signBundle({ version: 1, owner: KEY.publicKey, ownerName: 'n', revision, resources: [resource], types, modules: [] }, KEY);
}

describe('bundles that were verified', () => {
  it('are verified once, for the owner that they were verified for', () => {
    const bundles = new VerifiedBundles();
    const bytes = signed(1);
    const first = bundles.verify(bytes, KEY.publicKey);
    expect(bundles.verify(Uint8Array.from(bytes), KEY.publicKey)).toBe(first);
    expect(bundles.verify(signed(2), KEY.publicKey)).not.toBe(first);
    expect(() => bundles.verify(bytes, generateSigningKey().publicKey)).toThrow();
  });

  it('are not taken for others that differ in a byte, or change with the frame that they came in', () => {
    const bundles = new VerifiedBundles();
    const bytes = signed(1);
    const kept = bundles.verify(bytes, KEY.publicKey).bytes;
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    expect(() => bundles.verify(bytes, KEY.publicKey)).toThrow();
    expect(bundles.verify(kept, KEY.publicKey).bundle.revision).toBe(1);
  });
});
