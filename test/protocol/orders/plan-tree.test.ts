import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeCbor } from '../../../protocol/encoding/cbor.ts';
import { planEntry, planHeader } from '../../../protocol/orders/order.ts';
import { encodeEntry, encodeHeader, executionIdOf, merkleProofs, merkleRoot, verifyProof } from '../../../protocol/orders/plan-tree.ts';

const entries = fc.array(fc.uint8Array({ maxLength: 20 }), { minLength: 1, maxLength: 70 });

function sha256(...parts: Uint8Array[]): Buffer {
  return createHash('sha256').update(Buffer.concat(parts)).digest();
}

/** The tree as RFC 6962 §2.1 defines it. */
function treeHash(leaves: readonly Uint8Array[]): Buffer {
  const [only] = leaves;
  if (leaves.length === 1 && only !== undefined) return sha256(Uint8Array.of(0), only);
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return sha256(Uint8Array.of(1), treeHash(leaves.slice(0, split)), treeHash(leaves.slice(split)));
}

describe('the tree of a plan', () => {
  it('is the one of RFC 6962', () => {
    fc.assert(fc.property(entries, (all) => Buffer.compare(merkleRoot(all), treeHash(all)) === 0));
  });

  it('proves each of its entries', () => {
    fc.assert(
      fc.property(entries, (all) => {
        const root = merkleRoot(all);
        const proofs = merkleProofs(all);
        for (const [index, entry] of all.entries()) {
          const proof = proofs[index] ?? [];
          expect(proof.length).toBeLessThanOrEqual(11);
          expect(verifyProof(root, { count: all.length, index, entry, proof })).toBe(true);
        }
      }),
    );
  });

  it('proves nothing else: not another entry, place, count, or path', () => {
    fc.assert(
      fc.property(entries, fc.nat(), fc.nat(), fc.uint8Array({ maxLength: 20 }), (all, at, other, bytes) => {
        const index = at % all.length;
        const entry = all[index] ?? new Uint8Array();
        const root = merkleRoot(all);
        const proof = merkleProofs(all)[index] ?? [];
        const count = all.length;
        if (Buffer.compare(bytes, entry) !== 0) expect(verifyProof(root, { count, index, entry: bytes, proof })).toBe(false);
        const elsewhere = other % (2 * count);
        const there = all[elsewhere];
        if (there === undefined || Buffer.compare(there, entry) !== 0) {
          expect(verifyProof(root, { count, index: elsewhere, entry, proof })).toBe(false);
        }
        expect(verifyProof(root, { count, index, entry, proof: [...proof, root] })).toBe(false);
        if (proof.length > 0) expect(verifyProof(root, { count, index, entry, proof: proof.slice(1) })).toBe(false);
        expect(verifyProof(root, { count, index: -1, entry, proof })).toBe(false);
        expect(verifyProof(root, { count, index: 0.5, entry, proof })).toBe(false);
        expect(verifyProof(new Uint8Array(), { count, index, entry, proof })).toBe(false);
      }),
    );
  });

  it('has no root without entries', () => {
    expect(() => merkleRoot([])).toThrow(RangeError);
  });
});

describe('header and entries', () => {
  const key = 'ab'.repeat(32);

  it('are read as they were written, and the header names the execution', () => {
    const entry = planEntry.parse({ node: 'web1', key, domain: 'd1', starter: key, work: { type: 'get', path: '/etc/hosts' } });
    const bytes = encodeEntry(entry);
    expect(decodeCbor(bytes, planEntry, 'an entry')).toEqual(entry);
    const header = planHeader.parse({
      version: 1,
      nonce: new Uint8Array(16),
      starter: 'web0',
      user: 'ops@web0',
      createdAt: 1_790_000_000_000,
      notBefore: 1_790_000_000_000,
      notAfter: 1_790_000_600_000,
      timeoutMs: 60_000,
      count: 1,
      root: merkleRoot([bytes]),
    });
    const encoded = encodeHeader(header);
    const read = decodeCbor(encoded, planHeader, 'a header');
    expect({ ...read, nonce: Uint8Array.from(read.nonce), root: Uint8Array.from(read.root) }).toEqual(header);
    expect(executionIdOf(encoded)).toBe(sha256(encoded).toString('hex'));
  });
});
