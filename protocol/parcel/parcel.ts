/**
 * A parcel: one file that carries between nodes that never connect what members of a domain would otherwise exchange over the wire:
 * facts, log entries, sealed orders, answers and modules. It begins with the line `dtkd parcel 1`, followed by frames (frames.ts), each
 * CBOR. Everything in it is signed by its author and checked as if it had come over the wire. In addition, the maker signs the whole, for
 * each domain with its key there, so that damage is detected before anything is imported. Defines the frames; grammar.ts defines their
 * order. (`bundle` is the command line's word; in code, that word means the signed description of a resource.)
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
/** The first line, with the format's number. The number only ever increases. */
export const PARCEL_LINE = /^dtkd parcel (\d{1,6})$/;
/** Maximum length of the first line in bytes. */
export const MAX_PARCEL_LINE_BYTES = 32;
export const PARCEL_BEGINNING: Uint8Array = Uint8Array.from(Buffer.from(`dtkd parcel ${PARCEL_FORMAT}\n`));

/** Maximum bytes of a frame: a chunk of entries as in sync, or an answer with its output. */
export const MAX_PARCEL_FRAME_BYTES = SYNC_CHUNK_BYTES + 2 * MAX_ENTRY_BYTES;
/** Maximum bytes of a parcel. */
export const MAX_PARCEL_BYTES = 8 * 1024 ** 3;
/** Maximum number of domains in one parcel: as many as a node ever belongs to. */
export const MAX_PARCEL_DOMAINS = 64;
/** Maximum number of modules, of orders or cancellations, and of answers in one parcel. */
export const MAX_PARCEL_MODULES = 4_096;
export const MAX_PARCEL_ORDERS = 65_536;
export const MAX_PARCEL_ANSWERS = 65_536;
/** Maximum bytes of one piece of a module. */
export const PARCEL_PIECE_BYTES = 256 * 1024;
const MAX_ENTRIES_PER_FRAME = 8_192;
const MAX_HEADS = 4 * MAX_MEMBERS;
const MAX_SECTIONS = 4 * MAX_PARCEL_DOMAINS + 1;

/** 16 random bytes that identify the parcel in messages and reveal nothing. */
const parcelId = z.codec(bytesOf(16), z.string().regex(/^[0-9a-f]{32}$/), {
  decode: hexOf,
  encode: (hex) => Uint8Array.from(Buffer.from(hex, 'hex')),
});

/**
 * The order of sections: first the modules for all domains, since orders may need them; then the others in this order, domain by domain.
 */
export const PARCEL_SECTIONS = ['modules', 'facts', 'logs', 'orders', 'answers'] as const;
export type ParcelSectionName = (typeof PARCEL_SECTIONS)[number];

/** The first frame. */
const headFrame = z.object({
  type: z.literal('head'),
  id: parcelId,
  /** When it was made, by the maker's clock. For display. */
  made: milliseconds,
  /** The maker's version of dtkd. For display. */
  program: z.string().max(64),
});

/** Begins a section: the following frames belong to it. `domain` is absent for modules. */
const sectionFrame = z.object({ type: z.literal('section'), name: z.enum(PARCEL_SECTIONS), domain: domainId.optional() });

/** First frame of the section `facts`: the domain, the maker, and how far the maker had each log when it began. */
const domainFrame = z.object({
  type: z.literal('domain'),
  domain: domainId,
  name: domainName,
  maker: peerKey,
  /** The maker's own name. For display. */
  makerName: z.string().max(63),
  heads: z.array(head).max(MAX_HEADS),
  /** True if entries were left out because the other side was said to have them. */
  partial: z.boolean(),
});

const itemsFrame = z.object({ type: z.literal('items'), items: z.array(bytesUpTo(MAX_ROTATION_BYTES)).min(1).max(MAX_ITEMS_PER_FRAME) });
const entriesFrame = z.object({
  type: z.literal('entries'),
  entries: z.array(bytesUpTo(MAX_ENTRY_BYTES)).min(1).max(MAX_ENTRIES_PER_FRAME),
});

/** A module: its publisher's signed statement. The archive follows in pieces. */
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
  /** Its offset, its length, and the SHA-256 of its bytes with their framing, so that damage can be located. */
  at: z.number().int().nonnegative(),
  bytes: z.number().int().nonnegative(),
  digest: hash,
});
export type ParcelSection = z.output<typeof section>;

/** The last frame but one: a list of all sections. */
const sumFrame = z.object({ type: z.literal('sum'), sections: z.array(section).max(MAX_SECTIONS) });
/**
 * The last frame: the SHA-256 of all bytes before it, and the maker's signature of that for each domain (context `parcel`, over the CBOR
 * of `ParcelSeal`).
 */
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

/** The types of frames in each section. */
export const SECTION_FRAMES: Readonly<Record<ParcelSectionName, ReadonlySet<ParcelFrame['type']>>> = {
  facts: new Set(['domain', 'items']),
  logs: new Set(['entries']),
  orders: new Set(['order', 'cancel']),
  answers: new Set(['answer']),
  modules: new Set(['module', 'piece']),
};
