/** One order, or the taking back of one, as a node keeps it for others: what it is, its row, and what is to be done about it. Pure. */
import { z } from 'zod';
import { decodeCbor, encodeCbor } from '../../../../protocol/encoding/cbor.ts';
import type { ErrorCode } from '../../../../protocol/errors.ts';
import { ROW_BYTES } from './limits.ts';

/** Names an order. `starter` and `target` are keys in the domain. */
export interface HeldName {
  domain: string;
  target: string;
  starter: string;
  id: string;
  index: number;
}

interface HeldFields extends HeldName {
  /** Milliseconds since the epoch: then it is over. */
  notAfter: number;
  /** At the starter: keys of members that may hold it. */
  holders: readonly string[];
}

export interface HeldOrderRow extends HeldFields {
  type: 'order';
  /** Bytes of what is sealed; it has a row of its own. */
  bytes: number;
  /** It was sent to its target, of which there was no word: the target may have it. */
  sent?: boolean | undefined;
  /** The starter's signature over `depositBytes`. Without it nobody else takes it from us. */
  signature?: Uint8Array | undefined;
  /** It was given out, to be carried by others: who knows where it is. */
  carried?: boolean | undefined;
}

export interface Cancelled extends HeldFields {
  type: 'cancel';
  signature: Uint8Array;
  /** True once the target knows. */
  brought: boolean;
  /** The target may have got the order before it was taken back. */
  sent?: boolean | undefined;
}

export type Held = HeldOrderRow | Cancelled;

const key = z.string().regex(/^[0-9a-f]{64}$/);
const rest = { v: z.literal(1), notAfter: z.number().int(), holders: z.array(key).max(64) };
const row = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('order'),
    ...rest,
    bytes: z.number().int().nonnegative(),
    sent: z.boolean().optional(),
    signature: z.instanceof(Uint8Array).optional(),
    carried: z.boolean().optional(),
  }),
  z.object({ type: z.literal('cancel'), ...rest, signature: z.instanceof(Uint8Array), brought: z.boolean(), sent: z.boolean().optional() }),
]);

const INDEX_DIGITS = 4;

/** Sorts by domain and target. */
export function nameText({ domain, target, starter, id, index }: HeldName): string {
  return `${domain}/${target}/${starter}/${id}/${index.toString(16).padStart(INDEX_DIGITS, '0')}`;
}

const NAME = /^([0-9a-f]+)\/([0-9a-f]{64})\/([0-9a-f]{64})\/([0-9a-f]{64})\/([0-9a-f]{4,})$/;

export function encodeHeld(held: Held): Uint8Array {
  const { domain: _domain, target: _target, starter: _starter, id: _id, index: _index, ...fields } = held;
  return encodeCbor({ v: 1, ...fields, holders: [...fields.holders] });
}

/** Undefined if the row cannot be read. */
export function decodeHeld(name: string, bytes: Uint8Array): Held | undefined {
  const [, domain, target, starter, id, index] = NAME.exec(name) ?? [];
  if (domain === undefined || target === undefined || starter === undefined || id === undefined || index === undefined) return undefined;
  try {
    const { v: _version, ...fields } = decodeCbor(bytes, row, 'a row of holding');
    return { domain, target, starter, id, index: Number.parseInt(index, 16), ...fields };
  } catch {
    return undefined;
  }
}

/** What it counts against the quotas. */
export function weightOf(held: Held): number {
  return ROW_BYTES + (held.type === 'order' ? held.bytes : 0);
}

/** The target may have it, though there is no word of it. */
export function mayBeThere(held: Held): boolean {
  return held.sent === true || (held.type === 'order' && held.carried === true);
}

/** Keys of members that have to hear of it, seen from a node whose key in the domain is `self`. */
export function toTell(held: Held, self: string | undefined): string[] {
  if (held.target === self) return [];
  if (held.type === 'order') return [held.target];
  return [...(held.brought ? [] : [held.target]), ...held.holders];
}

/** Refusals after which an order is of no use to anybody. After any other it is tried again. */
const FINAL: ReadonlySet<string> = new Set<ErrorCode>([
  'ORDER_INVALID',
  'FRAME_INVALID',
  'FRAME_TOO_LARGE',
  'SIGNATURE_INVALID',
  'ORDER_EXPIRED',
  'ABORTED',
]);

export function isFinal(code: string | undefined): boolean {
  return code !== undefined && FINAL.has(code);
}

/** How requests name it. */
export function said({ starter, target, id, index, notAfter }: Held): Omit<HeldName, 'domain'> & { notAfter: number } {
  return { starter, target, id, index, notAfter };
}
