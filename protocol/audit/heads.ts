/**
 * Heads of audit logs: a node's signed statement that the line at this position has this hash. Its peers keep the heads that they have
 * seen, so a node that rewrites its past contradicts itself, even with valid signatures.
 */
import { type PeerKey, peerKeyBytes, peerKeyOf } from '../ids.ts';
import { type SigningKey, verifySignature } from '../keys/signing.ts';
import type { AuditHead } from '../kinds/node.ts';

/** Takes the place of the previous line's hash in the first line. */
export const NO_LINE = '0'.repeat(64);

const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;

/** Returns the text form of an audit log's key, as in heads and lines. */
export function auditKeyText(key: PeerKey): string {
  return Buffer.from(peerKeyBytes(key)).toString('base64');
}

function signedBytes({ key, seq, hash, time }: Omit<AuditHead, 'signature'>, first: number | undefined): Uint8Array {
  return Buffer.from(`${first === undefined ? 'head' : `anchor ${first}`}\n${key}\n${seq}\n${hash}\n${time}`);
}

/** Signs a head. With `first` it signs an anchor, which also says which line the kept part of the log begins with. */
export function signAuditHead(key: SigningKey, line: Pick<AuditHead, 'seq' | 'hash' | 'time'>, first?: number): AuditHead {
  const head = { key: auditKeyText(key.publicKey), seq: line.seq, hash: line.hash, time: line.time };
  return { ...head, signature: Buffer.from(key.sign('audit', signedBytes(head, first))).toString('base64') };
}

/** Decodes canonical base64 of that length. Undefined for anything else, so that each value has only one text form. */
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
    // OpenSSL refuses bytes that are not a point of the curve.
    return false;
  }
}
