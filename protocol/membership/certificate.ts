/**
 * Certificates: "the bearer of this invite enrolled this key under this name, and I, a member, saw it". A certificate has three
 * signatures: those of the invite key and of the joiner over the enrolment (so nobody enrols without the token's secret, or with somebody
 * else's key), and that of the admitter over both and its own witness.
 *
 * Certificates form chains. `via` names the link by which the admitter itself is a member; it is absent if the root lists the admitter. A
 * link is a hash of what was enrolled by whom, without the admitter's clock and count: an admitter that witnesses one enrolment twice
 * makes one link, and cannot cut off what depends on it.
 */
import { z } from 'zod';
import { decodeCbor, encodeCbor } from '../encoding/cbor.ts';
import { encodeEnvelope } from '../encoding/envelope.ts';
import { bytesUpTo, hash, milliseconds, nodeName, peerKey, signatureBytes } from '../encoding/fields.ts';
import type { PeerKey } from '../ids.ts';
import { hashHex, type SigningKey, verifySignature } from '../keys/signing.ts';
import { MAX_INVITE_USES, MAX_ITEM_BYTES } from '../limits.ts';

const enrolmentSchema = z.object({
  /** Id of the grant, which implies the domain and its root. */
  grant: hash,
  key: peerKey,
  name: nodeName,
  /** The name of a lost machine that this one takes over. Same as `name`; the grant must name it, too. */
  replace: nodeName.optional(),
});

/** What a joiner asks for. */
export type Enrolment = z.output<typeof enrolmentSchema>;

export interface SignedEnrolment {
  body: Uint8Array;
  /** Signed with the invite key. */
  signature: Uint8Array;
  /** Signed with the joiner's key. */
  consent: Uint8Array;
}

const wireSchema = z.object({
  type: z.literal('certificate'),
  enrolment: bytesUpTo(MAX_ITEM_BYTES),
  signature: signatureBytes,
  consent: signatureBytes,
  admitter: peerKey,
  /** The admitter's clock. Recorded, and never checked again. */
  clock: milliseconds,
  /** Number of admissions under this invite that the admitter knew of, including this one. */
  count: z.number().int().min(1).max(MAX_INVITE_USES),
  via: hash.optional(),
});

export interface Certificate extends Omit<z.output<typeof wireSchema>, 'enrolment' | 'signature' | 'consent'>, Enrolment {
  enrolment: SignedEnrolment;
  /** 64 hex digits; `via` of certificates by this key refers to it. */
  link: string;
}

/** Signs an enrolment with the secret from the token and with the future member's own key. */
export function signEnrolment(invite: SigningKey, joiner: SigningKey, enrolment: Omit<Enrolment, 'key'>): SignedEnrolment {
  const body = encodeCbor(z.encode(enrolmentSchema, { ...enrolment, key: joiner.publicKey }));
  return { body, signature: invite.sign('enrolment', body), consent: joiner.sign('enrolment', body) };
}

/** Throws FRAME_INVALID. */
export function parseEnrolment(body: Uint8Array): Enrolment {
  return decodeCbor(body, enrolmentSchema, 'an enrolment');
}

/** True if the invite key and the joiner both signed. */
export function verifyEnrolment(inviteKey: PeerKey, key: PeerKey, { body, signature, consent }: SignedEnrolment): boolean {
  return verifySignature(inviteKey, 'enrolment', body, signature) && verifySignature(key, 'enrolment', body, consent);
}

export interface Witness {
  clock: number;
  count: number;
  via: string | undefined;
}

/** Makes a certificate: the admitter's witness around the joiner's enrolment. Returns the envelope. */
export function signCertificate(admitter: SigningKey, enrolment: SignedEnrolment, { clock, count, via }: Witness): Uint8Array {
  const payload = encodeCbor(
    z.encode(wireSchema, {
      type: 'certificate',
      enrolment: enrolment.body,
      signature: enrolment.signature,
      consent: enrolment.consent,
      admitter: admitter.publicKey,
      clock,
      count,
      ...(via === undefined ? {} : { via }),
    }),
  );
  return encodeEnvelope(payload, admitter.sign('witness', payload));
}

/** Parses a certificate's payload and the enrolment in it. Throws FRAME_INVALID. */
export function parseCertificate(payload: Uint8Array): Certificate {
  const { enrolment: body, signature, consent, ...witness } = decodeCbor(payload, wireSchema, 'a certificate');
  return {
    ...witness,
    ...parseEnrolment(body),
    enrolment: { body, signature, consent },
    link: linkOf(body, witness.admitter, witness.via),
  };
}

function linkOf(body: Uint8Array, admitter: PeerKey, via: string | undefined): string {
  return hashHex(Buffer.from(`dtkd/link\n${hashHex(body)}\n${admitter}\n${via ?? ''}`));
}
