/** An order, or its cancellation, as a node holds it for others: the record, its row, and what is left to do about it. Pure. */
import { z } from 'zod';
import { decodeCbor, encodeCbor } from '../../../../protocol/encoding/cbor.ts';
import type { ErrorCode } from '../../../../protocol/errors.ts';
import { ROW_BYTES } from './limits.ts';

/** Identifies an order. `starter` and `target` are keys in the domain. */
export interface HeldName {
  domain: string;
  target: string;
  starter: string;
  id: string;
  index: number;
}

interface HeldFields extends HeldName {
  /** When it expires. Milliseconds since the epoch. */
  notAfter: number;
  /** At the starter: keys of the members that may hold it. */
  holders: readonly string[];
}

export interface HeldOrderRow extends HeldFields {
  type: 'order';
  /** Bytes of the sealed part, which has a row of its own. */
  bytes: number;
  /** It was sent to its target, which did not reply: the target may have it. */
  sent?: boolean | undefined;
  /** The starter's signature over `depositBytes`. Without it no other member accepts the order from this node. */
  signature?: Uint8Array | undefined;
  /** It was exported to be carried by hand, so nobody knows where it is. */
  carried?: boolean | undefined;
}

export interface Cancelled extends HeldFields {
  type: 'cancel';
  signature: Uint8Array;
  /** True once the target knows of it. */
  brought: boolean;
  /** The target may have got the order before it was cancelled. */
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

/** The text form of a name; it sorts by domain and target. */
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

/** Bytes that it counts against the quotas. */
export function weightOf(held: Held): number {
  return ROW_BYTES + (held.type === 'order' ? held.bytes : 0);
}

/** True if the target may have it although it has not confirmed that. */
export function mayBeThere(held: Held): boolean {
  return held.sent === true || (held.type === 'order' && held.carried === true);
}

/** Returns the keys of the members that must be told of it. `self` is this node's key in the domain. */
export function toTell(held: Held, self: string | undefined): string[] {
  if (held.target === self) return [];
  if (held.type === 'order') return [held.target];
  return [...(held.brought ? [] : [held.target]), ...held.holders];
}

/** Refusals after which an order is of no use to anybody. After any other, it is tried again. */
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

/** The fields by which requests refer to it. */
export function said({ starter, target, id, index, notAfter }: Held): Omit<HeldName, 'domain'> & { notAfter: number } {
  return { starter, target, id, index, notAfter };
}
