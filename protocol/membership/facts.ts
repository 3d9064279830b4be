/**
 * The items of a domain's membership set: root facts, leaves, fork proofs, and certificates (in certificate.ts). Each is an envelope
 * named by the hash of its payload.
 *
 * A root fact names in `by` the generation whose root signed it: the id of the genesis (which is the domain's id) or of a rotation. This
 * hash binds the fact to one domain and one root, so a fact of another domain, or of a replaced root, is recognised by its first field. A
 * `time` is the signer's clock; it orders statements of one root about one subject, and is never compared with another clock.
 */
import { z } from 'zod';
import { decodeCbor, encodeCbor } from '../encoding/cbor.ts';
import { encodeEnvelope, openEnvelope } from '../encoding/envelope.ts';
import { bytesOf, bytesUpTo, domainId, domainName, epoch, hash, milliseconds, nodeName, peerKey } from '../encoding/fields.ts';
import { DtkdError } from '../errors.ts';
import { type DomainId, type PeerKey, peerKeyBytes } from '../ids.ts';
import { hashHex, type SigningKey } from '../keys/signing.ts';
import {
  MAX_FORK_BYTES,
  MAX_INVITE_USES,
  MAX_ITEM_BYTES,
  MAX_KEEPS,
  MAX_KEEPS_ITEM_BYTES,
  MAX_MEMBERS,
  MAX_ROTATION_BYTES,
  MAX_ROTATION_REMOVED,
} from '../limits.ts';
import { type Certificate, parseCertificate } from './certificate.ts';

/** Maximum number of removed members whose name one fact frees. */
const MAX_FREED_KEYS = 64;

const genesis = z.object({
  type: z.literal('genesis'),
  version: z.literal(1),
  name: domainName,
  root: peerKey,
  /** SHA-256 of the public recovery key, which is revealed only when it is used. */
  recovery: hash,
  founder: z.object({ key: peerKey, name: nodeName }),
  time: milliseconds,
  nonce: bytesOf(16),
});

const rotation = z.object({
  type: z.literal('rotation'),
  /** Id of the genesis or rotation that this one follows. */
  prev: hash,
  /** The recovery key whose hash the previous generation holds. It signs this fact. */
  recoveryKey: peerKey,
  root: peerKey,
  recovery: hash,
  /** All members that remain; nobody else does. `cleared`: forks of a member's log up to this epoch are forgiven. */
  members: z.array(z.object({ key: peerKey, name: nodeName, cleared: epoch.optional() })).max(MAX_MEMBERS),
  /** Keys that stay refused. `reserved`: the name may not be used again yet. */
  removed: z.array(z.object({ key: peerKey, name: nodeName, left: z.boolean(), reserved: z.boolean() })).max(MAX_ROTATION_REMOVED),
  time: milliseconds,
});

const signed = { by: hash, time: milliseconds };

const grant = z
  .object({
    type: z.literal('grant'),
    ...signed,
    /** Public half of the key in the token. */
    key: peerKey,
    uses: z.number().int().min(1).max(MAX_INVITE_USES),
    expires: milliseconds,
    /** The bearer may take over this name. */
    replace: nodeName.optional(),
  })
  .refine((fact) => fact.replace === undefined || fact.uses === 1, 'a grant that replaces has one use');

const keeps = z.array(peerKey).max(MAX_KEEPS);

/** Ends an invite. Earlier admissions under it stay valid only for keys in `keeps`. */
const revocation = z.object({ type: z.literal('revocation'), ...signed, grant: hash, keeps });
/** Gives a name to a key, whoever else claims it. */
const binding = z.object({ type: z.literal('binding'), ...signed, key: peerKey, name: nodeName });
/** Ends a membership for good. Admissions by this key stay valid only for keys in `keeps`. The name stays reserved. */
const removal = z.object({ type: z.literal('removal'), ...signed, key: peerKey, name: nodeName, keeps });
/** Allows a name of these removed keys to be used again. */
const free = z.object({ type: z.literal('free'), ...signed, name: nodeName, keys: z.array(peerKey).min(1).max(MAX_FREED_KEYS) });
/** Forgives forks of an author's log at or below an epoch. */
const clearance = z.object({ type: z.literal('clearance'), ...signed, key: peerKey, epoch });

/** Signed by the member itself; final for that key. Frees its name. */
const leave = z.object({ type: z.literal('leave'), domain: domainId, key: peerKey });
/** Two log entries that no honest author signs both, as log/log-entry.ts writes them. Not signed itself: the entries are. */
const fork = z.object({ type: z.literal('fork'), proof: bytesUpTo(MAX_FORK_BYTES) });

const plainFact = z.discriminatedUnion('type', [
  genesis,
  rotation,
  grant,
  revocation,
  binding,
  removal,
  free,
  clearance,
  leave,
  fork,
  // certificate.ts reads it again, with the enrolment in it.
  z.object({ type: z.literal('certificate') }),
]);

export type Genesis = z.output<typeof genesis>;
export type Rotation = z.output<typeof rotation>;
export type Grant = z.output<typeof grant>;
export type Revocation = z.output<typeof revocation>;
export type Binding = z.output<typeof binding>;
export type Removal = z.output<typeof removal>;
export type Free = z.output<typeof free>;
export type Clearance = z.output<typeof clearance>;
export type Leave = z.output<typeof leave>;
export type Fork = z.output<typeof fork>;
/** What a root says: every fact with a `by`. */
export type RootFact = Grant | Revocation | Binding | Removal | Free | Clearance;
export type Fact = Genesis | Rotation | RootFact | Leave | Fork | Certificate;

const rootFact = z.discriminatedUnion('type', [grant, revocation, binding, removal, free, clearance]);

/** An item as read, not yet verified. */
export interface ParsedItem<F extends Fact = Fact> {
  /** 64 hex digits: SHA-256 of the payload. */
  readonly id: string;
  /** The envelope as received. */
  readonly bytes: Uint8Array;
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
  readonly fact: F;
}

const MAX_BYTES: Record<Fact['type'], number> = {
  genesis: MAX_ITEM_BYTES,
  rotation: MAX_ROTATION_BYTES,
  grant: MAX_ITEM_BYTES,
  revocation: MAX_KEEPS_ITEM_BYTES,
  binding: MAX_ITEM_BYTES,
  removal: MAX_KEEPS_ITEM_BYTES,
  free: MAX_ITEM_BYTES,
  clearance: MAX_ITEM_BYTES,
  leave: MAX_ITEM_BYTES,
  fork: MAX_FORK_BYTES,
  certificate: MAX_ITEM_BYTES,
};

/** Parses an item of any type without verifying its signature. Throws FRAME_TOO_LARGE or FRAME_INVALID. */
export function parseItem(bytes: Uint8Array): ParsedItem {
  const envelope = openEnvelope(bytes, MAX_ROTATION_BYTES, 'an item');
  const plain = decodeCbor(envelope.payload, plainFact, 'an item');
  const max = MAX_BYTES[plain.type];
  if (bytes.length > max) {
    throw new DtkdError('FRAME_TOO_LARGE', `a ${plain.type} of ${bytes.length} bytes is over the limit of ${max}`);
  }
  const fact: Fact = plain.type === 'certificate' ? parseCertificate(envelope.payload) : plain;
  if (fact.type === 'fork') checkCanonicalFork(fact, envelope.payload, envelope.signature);
  return { ...envelope, fact };
}

/** True if `item` holds a fact of the given type; narrows it. */
export function isItemOf<T extends Fact['type']>(item: ParsedItem, type: T): item is ParsedItem<Extract<Fact, { type: T }>> {
  return item.fact.type === type;
}

export function signRootFact(root: SigningKey, fact: RootFact): Uint8Array {
  const payload = encodeCbor(z.encode(rootFact, fact));
  return encodeEnvelope(payload, root.sign('fact', payload));
}

export function signGenesis(root: SigningKey, fact: Genesis): Uint8Array {
  const payload = encodeCbor(z.encode(genesis, fact));
  return encodeEnvelope(payload, root.sign('fact', payload));
}

/** Signed by the recovery key whose hash the previous generation holds. */
export function signRotation(recovery: SigningKey, fact: Rotation): Uint8Array {
  const payload = encodeCbor(z.encode(rotation, fact));
  return encodeEnvelope(payload, recovery.sign('fact', payload));
}

export function signLeave(self: SigningKey, domain: DomainId): Uint8Array {
  const payload = encodeCbor(z.encode(leave, { type: 'leave', domain, key: self.publicKey }));
  return encodeEnvelope(payload, self.sign('leave', payload));
}

/** Wraps a fork proof into an item. */
export function encodeFork(proof: Uint8Array): Uint8Array {
  return encodeEnvelope(encodeCbor(z.encode(fork, { type: 'fork', proof })), new Uint8Array(0));
}

/** The hash of a public recovery key, as a genesis or rotation commits to it. */
export function recoveryHash(recoveryKey: PeerKey): string {
  return hashHex(peerKeyBytes(recoveryKey));
}

/** A fork proof is unsigned, so only one encoding of it is allowed: otherwise anybody could make many items of one proof. */
function checkCanonicalFork(fact: Fork, payload: Uint8Array, signature: Uint8Array): void {
  if (signature.length !== 0 || Buffer.compare(encodeCbor(z.encode(fork, fact)), payload) !== 0) {
    throw new DtkdError('FRAME_INVALID', 'a fork proof is not in its canonical form');
  }
}
