/** Fork proofs for tests: two opening entries of one author in one epoch. */
import type { DomainId } from '../../../protocol/ids.ts';
import type { SigningKey } from '../../../protocol/keys/signing.ts';
import { type Epoch, forkProof, NO_ENTRY, signEntry } from '../../../protocol/log/log-entry.ts';

export function forkOf(author: SigningKey, domain: DomainId, epoch: Epoch): Uint8Array {
  const entry = (content: number) =>
    signEntry(author, {
      domain,
      author: author.publicKey,
      epoch,
      seq: 0,
      prev: NO_ENTRY,
      lineage: [],
      open: true,
      openEnd: true,
      update: Uint8Array.from([content]),
    });
  return forkProof(entry(1), entry(2));
}

export function epochAt(ms: number): Epoch {
  return { ms, random: '00112233445566ff' };
}
