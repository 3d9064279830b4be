/**
 * Messages of `/dtkd/join`, one frame each, between joiner J and admitter A over one Noise connection:
 *
 *     J → A  offer     which domain, and the root's grant
 *     A → J  proof     the chain that makes A a member (one frame or more)
 *     J → A  enrol     the enrolment, signed with the token's secret (which stays at J) and J's own key
 *     A → J  welcome   J's certificate and everything that the domain has agreed on (one frame or more)
 *
 * Instead of any answer A may send a refusal, which ends the exchange.
 */
import { z } from 'zod';
import { decodeCbor, encodeCbor } from '../encoding/cbor.ts';
import { bytesOf, bytesUpTo, domainId, milliseconds, signatureBytes } from '../encoding/fields.ts';
import { DtkdError, isErrorCode } from '../errors.ts';
import {
  MAX_ITEM_BYTES,
  MAX_ITEMS_BYTES,
  MAX_ITEMS_PER_FRAME,
  MAX_JOIN_FRAME_BYTES,
  MAX_ROTATION_BYTES,
  MAX_SENTENCE_LENGTH,
  PADDING_BYTES,
} from '../limits.ts';

/** Version of these messages and of how members act on them. */
export const JOIN_VERSION = 1;

/** Bytes of a frame besides its items. */
const FRAME_SLACK_BYTES = 4 * 1024;
/** Memory that an item takes in addition to its bytes. */
const ITEM_OVERHEAD_BYTES = 100;
/** Maximum bytes of a refusal's details, as JSON. */
const MAX_DETAILS_BYTES = 2 * 1024;

/** Part of the first message of each side. */
export const padding = bytesUpTo(PADDING_BYTES).optional();
export const PADDING: Uint8Array = new Uint8Array(PADDING_BYTES);

const offer = z.object({
  type: z.literal('offer'),
  version: z.number().int().min(0).max(65_535),
  domain: domainId,
  grant: bytesUpTo(MAX_ITEM_BYTES),
  /** The joiner's clock, shown beside the admitter's. */
  clock: milliseconds,
  /** Random. An admitter that sees its own nonce is talking to itself. */
  nonce: bytesOf(16),
  padding,
});

const items = z.array(bytesUpTo(MAX_ROTATION_BYTES)).max(MAX_ITEMS_PER_FRAME);

const proof = z.object({ type: z.literal('proof'), items, more: z.boolean(), padding });

const enrol = z.object({
  type: z.literal('enrol'),
  enrolment: bytesUpTo(MAX_ITEM_BYTES),
  /** Signed with the invite key. */
  signature: signatureBytes,
  /** Signed with the joiner's key. */
  consent: signatureBytes,
});

/** The items include the joiner's certificate. */
const welcome = z.object({ type: z.literal('welcome'), items, more: z.boolean() });

const sentence = z.string().max(MAX_SENTENCE_LENGTH);

/** Ends an exchange, in join and in hello. */
export const refusal = z.object({
  type: z.literal('refusal'),
  code: z.string().max(64),
  message: sentence,
  next: sentence.optional(),
  /** JSON text of an object. */
  details: z.string().max(MAX_DETAILS_BYTES).optional(),
});

const message = z.discriminatedUnion('type', [offer, proof, enrol, welcome, refusal]);

export type JoinOffer = z.output<typeof offer>;
export type JoinProof = z.output<typeof proof>;
export type JoinEnrol = z.output<typeof enrol>;
export type JoinWelcome = z.output<typeof welcome>;
export type JoinRefusal = z.output<typeof refusal>;
export type JoinMessage = z.output<typeof message>;

export function encodeJoinMessage(value: JoinMessage): Uint8Array {
  return encodeCbor(z.encode(message, value));
}

/** Reads one frame. Throws FRAME_TOO_LARGE or FRAME_INVALID. */
export function decodeJoinMessage(frame: Uint8Array): JoinMessage {
  if (frame.length > MAX_JOIN_FRAME_BYTES) {
    throw new DtkdError('FRAME_TOO_LARGE', `a join message of ${frame.length} bytes is over the limit of ${MAX_JOIN_FRAME_BYTES}`);
  }
  return decodeCbor(frame, message, 'a join message');
}

/** Splits items into batches that each fit into one frame, in order; at least one batch. Also used by hello. */
export function itemBatches(all: readonly { bytes: Uint8Array }[]): Uint8Array[][] {
  const batches: Uint8Array[][] = [[]];
  let size = 0;
  for (const { bytes } of all) {
    const current = batches.at(-1);
    // Each item takes its bytes and at most five for the length.
    const cost = bytes.length + 5;
    if (current !== undefined && current.length < MAX_ITEMS_PER_FRAME && size + cost <= MAX_JOIN_FRAME_BYTES - FRAME_SLACK_BYTES) {
      current.push(bytes);
      size += cost;
    } else {
      batches.push([bytes]);
      size = cost;
    }
  }
  return batches;
}

export function proofMessages(chain: readonly { bytes: Uint8Array }[]): JoinProof[] {
  const batches = itemBatches(chain);
  return batches.map((batch, index) => ({
    type: 'proof',
    items: batch,
    more: index < batches.length - 1,
    ...(index === 0 ? { padding: PADDING } : {}),
  }));
}

export function welcomeMessages(all: readonly { bytes: Uint8Array }[]): JoinWelcome[] {
  const batches = itemBatches(all);
  return batches.map((batch, index) => ({ type: 'welcome', items: batch, more: index < batches.length - 1 }));
}

/** Collects the items of several frames, within the limits of a domain. */
export class ItemCollector {
  readonly items: Uint8Array[] = [];
  #bytes = 0;

  /** Adds a frame. Returns true if it was the last. Throws FRAME_TOO_LARGE. */
  add(frame: { items: readonly Uint8Array[]; more: boolean }): boolean {
    // Counts the memory that holds an item as well, so that empty ones are not free.
    for (const bytes of frame.items) this.#bytes += bytes.length + ITEM_OVERHEAD_BYTES;
    this.#bytes += ITEM_OVERHEAD_BYTES;
    if (this.#bytes > MAX_ITEMS_BYTES)
      throw new DtkdError('FRAME_TOO_LARGE', `the items sent are over the limit of ${MAX_ITEMS_BYTES} bytes`);
    this.items.push(...frame.items);
    return !frame.more;
  }
}

/** Returns what a stranger may see of an error: internal errors become a plain sentence, and texts are cut to their limits. */
export function toRefusal(error: unknown): JoinRefusal {
  if (!(error instanceof DtkdError) || error.code === 'INTERNAL') {
    return { type: 'refusal', code: 'INTERNAL', message: 'the member failed to handle the request' };
  }
  const details = error.details === undefined ? undefined : JSON.stringify(error.details);
  return {
    type: 'refusal',
    code: error.code,
    message: error.message.slice(0, MAX_SENTENCE_LENGTH),
    ...(error.next === undefined ? {} : { next: error.next.slice(0, MAX_SENTENCE_LENGTH) }),
    ...(details === undefined || details.length > MAX_DETAILS_BYTES ? {} : { details }),
  };
}

/** Turns a refusal into an error. A code that this dtkd does not know becomes FORBIDDEN, with the sentence kept. */
export function fromRefusal(received: JoinRefusal): DtkdError {
  return new DtkdError(isErrorCode(received.code) ? received.code : 'FORBIDDEN', printable(received.message), {
    ...(received.next === undefined ? {} : { next: printable(received.next) }),
    ...(received.details === undefined ? {} : { details: parseDetails(received.details) }),
  });
}

/** A peer's sentence may be shown on a terminal: removes control characters. */
function printable(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ');
}

function parseDetails(json: string): Record<string, unknown> {
  try {
    const parsed = z
      .record(z.string().max(64), z.union([z.string().max(512), z.number(), z.boolean(), z.null()]))
      .safeParse(JSON.parse(json));
    return parsed.success ? parsed.data : {};
  } catch {
    return {};
  }
}
