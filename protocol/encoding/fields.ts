/** Building blocks of wire schemas: each decodes bytes into the type that code uses, and encodes it again (`z.encode`). */
import { z } from 'zod';
import { type DomainId, isDnsLabel, type NodeName, type PeerKey, peerKeyBytes, peerKeyOf } from '../ids.ts';

const HEX_32_BYTES = /^[0-9a-f]{64}$/;
const HEX_8_BYTES = /^[0-9a-f]{16}$/;
/** One or more DNS labels. Short, because every token contains one. */
const DOMAIN_NAME = /^(?=.{1,63}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

export function bytesOfHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}

/** True if `text` can name a domain: one or more DNS labels, separated by dots, of at most 63 characters in total. */
export function isDomainName(text: string): boolean {
  return DOMAIN_NAME.test(text) && text !== 'default';
}

const anyBytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'must be bytes');

/** At most `max` bytes, copied so that a kept value does not pin the frame it came in. */
export function bytesUpTo(max: number) {
  return z.codec(
    anyBytes.refine((bytes) => bytes.length <= max, `must be at most ${max} bytes`),
    anyBytes,
    { decode: (bytes) => Uint8Array.from(bytes), encode: (bytes) => Uint8Array.from(bytes) },
  );
}

/** Exactly `length` bytes, copied. */
export function bytesOf(length: number) {
  return z.codec(
    anyBytes.refine((bytes) => bytes.length === length, `must be ${length} bytes`),
    anyBytes,
    { decode: (bytes) => Uint8Array.from(bytes), encode: (bytes) => Uint8Array.from(bytes) },
  );
}

const rawBytes = (length: number) => anyBytes.refine((bytes) => bytes.length === length, `must be ${length} bytes`);

/** 32 bytes on the wire, 64 hex digits in code: SHA-256 of something. */
export const hash = z.codec(rawBytes(32), z.string().regex(HEX_32_BYTES), { decode: hexOf, encode: bytesOfHex });

/** 8 bytes on the wire, 16 hex digits in code. */
export const hex8 = z.codec(rawBytes(8), z.string().regex(HEX_8_BYTES), { decode: hexOf, encode: bytesOfHex });

export const peerKey = z.codec(
  rawBytes(32),
  z.custom<PeerKey>((value) => typeof value === 'string' && HEX_32_BYTES.test(value)),
  { decode: peerKeyOf, encode: peerKeyBytes },
);

export const domainId = z.codec(
  rawBytes(32),
  z.custom<DomainId>((value) => typeof value === 'string' && HEX_32_BYTES.test(value)),
  { decode: (bytes) => hexOf(bytes) as DomainId, encode: bytesOfHex },
);

export const nodeName = z.custom<NodeName>(
  (value) => typeof value === 'string' && value.length <= 63 && isDnsLabel(value) && value !== 'default',
  'must be a node name',
);

export const domainName = z.string().refine(isDomainName, 'must be a domain name');

/** Milliseconds since the epoch. */
export const milliseconds = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

export const signatureBytes = bytesOf(64);

/** One opening of an author's log: milliseconds and 64 random bits. */
export const epoch = z.object({ ms: milliseconds, random: hex8 });
