/**
 * Heads of audit logs: a node's signed word that a line with this hash stood at this place. Its peers keep what they have seen, so that a
 * node that writes its past anew contradicts itself, also with a good signature.
 */
import { type PeerKey, peerKeyBytes, peerKeyOf } from '../ids.ts';
import { type SigningKey, verifySignature } from '../keys/signing.ts';
import type { AuditHead } from '../kinds/node.ts';

/** In place of the hash of the line before the first one. */
export const NO_LINE = '0'.repeat(64);

const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;

/** The key of an audit log as heads and lines write it. */
export function auditKeyText(key: PeerKey): string {
  return Buffer.from(peerKeyBytes(key)).toString('base64');
}

function signedBytes({ key, seq, hash, time }: Omit<AuditHead, 'signature'>, first: number | undefined): Uint8Array {
  return Buffer.from(`${first === undefined ? 'head' : `anchor ${first}`}\n${key}\n${seq}\n${hash}\n${time}`);
}

/** Signs a head; with `first` as an anchor, which also says with which line the kept part of the log begins. */
export function signAuditHead(key: SigningKey, line: Pick<AuditHead, 'seq' | 'hash' | 'time'>, first?: number): AuditHead {
  const head = { key: auditKeyText(key.publicKey), seq: line.seq, hash: line.hash, time: line.time };
  return { ...head, signature: Buffer.from(key.sign('audit', signedBytes(head, first))).toString('base64') };
}

/** The bytes of canonical base64 of that length; undefined for anything else, so that a text can be written in one way only. */
export function canonicalBytes(text: string, length: number): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === length && bytes.toString('base64') === text ? Uint8Array.from(bytes) : undefined;
}

/** True if the head is signed by the key that it names. Never throws. */
export function verifyAuditHead(head: AuditHead, first?: number): boolean {
  const key = canonicalBytes(head.key, KEY_BYTES);
  const signature = canonicalBytes(head.signature, SIGNATURE_BYTES);
  if (key === undefined || signature === undefined) return false;
  try {
    return verifySignature(peerKeyOf(key), 'audit', signedBytes(head, first), signature);
  } catch {
    // OpenSSL refuses bytes that are no point at all.
    return false;
  }
}
