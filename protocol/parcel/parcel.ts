/**
 * A parcel: one file that carries what members of a domain would tell one another over the wire, between nodes that never connect: facts, entries of logs, sealed
 * orders, answers to them, modules. It begins with the line `dtkd parcel 1`; frames follow (frames.ts), each CBOR. Each thing in it is signed by whom it comes from
 * and is judged as if it had come over the wire. Besides, the maker signs the whole, for each domain with its key there, so that damage is found before anything is
 * taken in. Says what the frames are; writer.ts and reader.ts say in which order they come. (`bundle` is the word of the command line; in code
 * that word means the signed description of a resource.)
 */
import { z } from 'zod';
import { digest } from '../definitions/code.ts';
import { bytesOf, bytesUpTo, domainId, domainName, hash, hexOf, milliseconds, peerKey, signatureBytes } from '../encoding/fields.ts';
import { MAX_ITEMS_PER_FRAME, MAX_MEMBERS, MAX_ROTATION_BYTES } from '../limits.ts';
import { MAX_ENTRY_BYTES } from '../log/log-entry.ts';
import { head, SYNC_CHUNK_BYTES } from '../log/sync.ts';
import { answerFrame } from '../orders/answer.ts';
import { cancelFrame, orderFrame } from '../orders/carry.ts';

export const PARCEL_FORMAT = 1;
/** The first line, with the number of the format. A format is only ever raised. */
export const PARCEL_LINE = /^dtkd parcel (\d{1,6})$/;
/** Bytes in which the first line has to end. */
export const MAX_PARCEL_LINE_BYTES = 32;
export const PARCEL_BEGINNING: Uint8Array = Uint8Array.from(Buffer.from(`dtkd parcel ${PARCEL_FORMAT}\n`));

/** A chunk of entries as in sync, or an answer with its output. */
export const MAX_PARCEL_FRAME_BYTES = SYNC_CHUNK_BYTES + 2 * MAX_ENTRY_BYTES;
/** Bytes of a whole parcel at most. */
export const MAX_PARCEL_BYTES = 8 * 1024 ** 3;
/** Domains in one parcel: as many as one node is ever in. */
export const MAX_PARCEL_DOMAINS = 64;
/** Modules, orders with cancellations, and answers in one parcel. */
export const MAX_PARCEL_MODULES = 4_096;
export const MAX_PARCEL_ORDERS = 65_536;
export const MAX_PARCEL_ANSWERS = 65_536;
/** Bytes of one piece of a module. */
export const PARCEL_PIECE_BYTES = 256 * 1024;
const MAX_ENTRIES_PER_FRAME = 8_192;
const MAX_HEADS = 4 * MAX_MEMBERS;
const MAX_SECTIONS = 4 * MAX_PARCEL_DOMAINS + 1;

/** 16 random bytes: names the parcel in messages, and tells nobody anything. */
const parcelId = z.codec(bytesOf(16), z.string().regex(/^[0-9a-f]{32}$/), {
  decode: hexOf,
  encode: (hex) => Uint8Array.from(Buffer.from(hex, 'hex')),
});

/** Modules first, for all: orders may need them. The others in this order, for one domain after another. */
export const PARCEL_SECTIONS = ['modules', 'facts', 'logs', 'orders', 'answers'] as const;
export type ParcelSectionName = (typeof PARCEL_SECTIONS)[number];

/** First of all. */
const headFrame = z.object({
  type: z.literal('head'),
  id: parcelId,
  /** By the maker's clock, to show. */
  made: milliseconds,
  /** The maker's version of dtkd, to show. */
  program: z.string().max(64),
});

/** What follows belongs to it. `domain` is absent for modules. */
const sectionFrame = z.object({ type: z.literal('section'), name: z.enum(PARCEL_SECTIONS), domain: domainId.optional() });

/** First in the section `facts`: which domain, who made this, and how far the maker had each log when it began. */
const domainFrame = z.object({
  type: z.literal('domain'),
  domain: domainId,
  name: domainName,
  maker: peerKey,
  /** As it calls itself, to show. */
  makerName: z.string().max(63),
  heads: z.array(head).max(MAX_HEADS),
  /** True if entries were left out which the other side was said to have. */
  partial: z.boolean(),
});

const itemsFrame = z.object({ type: z.literal('items'), items: z.array(bytesUpTo(MAX_ROTATION_BYTES)).min(1).max(MAX_ITEMS_PER_FRAME) });
const entriesFrame = z.object({
  type: z.literal('entries'),
  entries: z.array(bytesUpTo(MAX_ENTRY_BYTES)).min(1).max(MAX_ENTRIES_PER_FRAME),
});

/** A module: what its publisher signed; its archive follows in pieces. */
const moduleFrame = z.object({
  type: z.literal('module'),
  statement: bytesUpTo(2_048),
  signature: bytesUpTo(128),
  digest,
  size: z.number().int().nonnegative(),
});
const pieceFrame = z.object({ type: z.literal('piece'), bytes: bytesUpTo(PARCEL_PIECE_BYTES) });

const section = z.object({
  name: z.enum(PARCEL_SECTIONS),
  domain: domainId.optional(),
  /** Where it begins, how long it is, and the SHA-256 of its bytes with their framing, so that damage can be placed. */
  at: z.number().int().nonnegative(),
  bytes: z.number().int().nonnegative(),
  digest: hash,
});
export type ParcelSection = z.output<typeof section>;

/** Last but one: what there was. */
const sumFrame = z.object({ type: z.literal('sum'), sections: z.array(section).max(MAX_SECTIONS) });
/** Last: the SHA-256 of all bytes before this frame, and the maker's signature of it for each domain (context `parcel`, over CBOR of `ParcelSeal`). */
const endFrame = z.object({
  type: z.literal('end'),
  digest: hash,
  signatures: z.array(z.object({ domain: domainId, key: peerKey, signature: signatureBytes })).max(MAX_PARCEL_DOMAINS),
});

export const parcelFrame = z.discriminatedUnion('type', [
  headFrame,
  sectionFrame,
  domainFrame,
  itemsFrame,
  entriesFrame,
  orderFrame,
  cancelFrame,
  answerFrame,
  moduleFrame,
  pieceFrame,
  sumFrame,
  endFrame,
]);
export type ParcelFrame = z.output<typeof parcelFrame>;
export type FrameOf<T extends ParcelFrame['type']> = Extract<ParcelFrame, { type: T }>;
/** How far somebody has one author's log. */
export type ParcelHead = z.output<typeof head>;

/** What a maker signs. */
export interface ParcelSeal {
  domain: string;
  /** 64 hex digits. */
  digest: string;
}

/** The frames that a section consists of. */
export const SECTION_FRAMES: Readonly<Record<ParcelSectionName, ReadonlySet<ParcelFrame['type']>>> = {
  facts: new Set(['domain', 'items']),
  logs: new Set(['entries']),
  orders: new Set(['order', 'cancel']),
  answers: new Set(['answer']),
  modules: new Set(['module', 'piece']),
};
