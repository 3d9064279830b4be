/**
 * One entry of an author's replication log, on the wire and on disk: a CBOR pair [body, signature], where the body is CBOR again. All
 * checks use the body's bytes as received. An entry is named by the SHA-256 of its body, so another signature over the same body is the
 * same entry. Defines what a well-formed entry is, and what proves that an author signed two different histories; what an entry means is
 * up to the log.
 */
import { z } from 'zod';
import { decodeCbor, encodeCbor } from '../encoding/cbor.ts';
import { bytesOfHex, hexOf } from '../encoding/fields.ts';
import { DtkdError } from '../errors.ts';
import { type DomainId, type PeerKey, parseDomainId, peerKeyBytes, peerKeyOf } from '../ids.ts';
import { hashHex, type SigningKey, verifySignature } from '../keys/signing.ts';

/** Maximum bytes of an entry on the wire: small enough for one gossip message, large enough for the largest object. */
export const MAX_ENTRY_BYTES = 65_536;
/** Ancestor epochs that an opening may name: more takeovers than a key ever sees between two visits of a member. */
export const MAX_LINEAGE = 32;
/** Two entries and their framing. */
export const MAX_FORK_PROOF_BYTES = 2 * MAX_ENTRY_BYTES + 64;
/** Milliseconds are written as 12 hex digits. The last value is reserved, so that an epoch above every valid one can be named. */
export const MAX_EPOCH_MS = 2 ** 48 - 2;
/** Sequence numbers are written as 8 hex digits. */
export const MAX_SEQ = 2 ** 32 - 1;

/** One opening of an author's log: milliseconds and 64 random bits, compared in that order. The highest epoch is the author's state. */
export interface Epoch {
  ms: number;
  /** 16 hex digits. */
  random: string;
}

/** A position in an author's history: an epoch, up to and including the entry `seq`. */
export interface Point {
  epoch: Epoch;
  seq: number;
}

/** What an author signs. */
export interface EntryBody {
  domain: DomainId;
  author: PeerKey;
  epoch: Epoch;
  seq: number;
  /** 64 hex digits: hash of the previous entry; zeros at seq 0. */
  prev: string;
  /** At seq 0: how far this epoch contains the author's earlier epochs, the latest first. Empty otherwise. */
  lineage: readonly Point[];
  /** True for the entries that carry the epoch's opening state. */
  open: boolean;
  /** True for the last of these. */
  openEnd: boolean;
  /** A Yjs update (version 1). */
  update: Uint8Array;
}

export interface LogEntry extends EntryBody {
  /** The whole entry as received. */
  bytes: Uint8Array;
  body: Uint8Array;
  signature: Uint8Array;
  /** 64 hex digits: SHA-256 of `body`. */
  hash: string;
}

/** `prev` of the first entry of an epoch. */
export const NO_ENTRY = '0'.repeat(64);

/** Fixed-width text of an epoch: 28 hex digits that sort as epochs compare. */
export function epochText(epoch: Epoch): string {
  return epoch.ms.toString(16).padStart(12, '0') + epoch.random;
}

/** Fixed-width text of a sequence number: 8 hex digits. */
export function seqText(seq: number): string {
  return seq.toString(16).padStart(8, '0');
}

/** Fixed-width text of a position in a log: 36 hex digits. */
export function pointText(point: Point): string {
  return epochText(point.epoch) + seqText(point.seq);
}

const POINT_TEXT = /^[0-9a-f]{36}$/;

/** Parses the output of `pointText`; undefined for any other text. */
export function parsePointText(text: string): Point | undefined {
  if (!POINT_TEXT.test(text)) return undefined;
  const ms = Number.parseInt(text.slice(0, 12), 16);
  if (ms > MAX_EPOCH_MS) return undefined;
  return { epoch: { ms, random: text.slice(12, 28) }, seq: Number.parseInt(text.slice(28), 16) };
}

/** Negative, zero or positive if `a` is lower than, equal to or higher than `b`. */
export function compareEpochs(a: Epoch, b: Epoch): number {
  if (a.ms !== b.ms) return a.ms - b.ms;
  if (a.random === b.random) return 0;
  return a.random < b.random ? -1 : 1;
}

const bytesOf = (length: number) => z.instanceof(Uint8Array).refine((bytes) => bytes.length === length, `must be ${length} bytes`);
const epochSchema = z.tuple([z.number().int().nonnegative().max(MAX_EPOCH_MS), bytesOf(8)]);
const pointSchema = z.tuple([z.number().int().nonnegative().max(MAX_EPOCH_MS), bytesOf(8), z.number().int().nonnegative().max(MAX_SEQ)]);
const envelopeSchema = z.tuple([z.instanceof(Uint8Array), bytesOf(64)]);
/** Unknown fields are allowed: they are signed, kept and forwarded with the rest. */
const bodySchema = z.object({
  domain: bytesOf(32),
  author: bytesOf(32),
  epoch: epochSchema,
  seq: z.number().int().nonnegative().max(MAX_SEQ),
  prev: bytesOf(32),
  lineage: z.array(pointSchema).max(MAX_LINEAGE).optional(),
  open: z.literal(true).optional(),
  openEnd: z.literal(true).optional(),
  update: z.instanceof(Uint8Array),
});

/** Makes and signs an entry. `key` must be the author's. Throws QUOTA_EXCEEDED if the entry would be too large. */
export function signEntry(key: SigningKey, fields: EntryBody): LogEntry {
  const { epoch, seq, lineage, open, openEnd, update } = fields;
  const body = encodeCbor({
    domain: bytesOfHex(fields.domain),
    author: peerKeyBytes(fields.author),
    epoch: [epoch.ms, bytesOfHex(epoch.random)],
    seq,
    prev: bytesOfHex(fields.prev),
    ...(seq === 0 ? { lineage: lineage.map((point) => [point.epoch.ms, bytesOfHex(point.epoch.random), point.seq]) } : {}),
    ...(open ? { open } : {}),
    ...(openEnd ? { openEnd } : {}),
    update,
  });
  const signature = key.sign('entry', body);
  const bytes = encodeCbor([body, signature]);
  if (bytes.length > MAX_ENTRY_BYTES) {
    throw new DtkdError('QUOTA_EXCEEDED', `a log entry would be ${bytes.length} bytes, more than ${MAX_ENTRY_BYTES}`);
  }
  return { ...fields, bytes, body, signature, hash: hashHex(body) };
}

/** Parses an entry without verifying its signature. Throws only ENTRY_INVALID. */
export function parseEntry(bytes: Uint8Array): LogEntry {
  if (bytes.length > MAX_ENTRY_BYTES) throw invalid(`it is ${bytes.length} bytes, more than ${MAX_ENTRY_BYTES}`);
  try {
    const [body, signature] = decodeCbor(bytes, envelopeSchema, 'a log entry');
    const fields = readBody(body);
    return { ...fields, bytes, body, signature, hash: hashHex(body) };
  } catch (error) {
    if (error instanceof DtkdError && error.code === 'FRAME_INVALID') {
      throw new DtkdError('ENTRY_INVALID', error.message, { cause: error });
    }
    throw error;
  }
}

function readBody(bytes: Uint8Array): EntryBody {
  const body = decodeCbor(bytes, bodySchema, 'the body of a log entry');
  const epoch = { ms: body.epoch[0], random: hexOf(body.epoch[1]) };
  const prev = hexOf(body.prev);
  const first = body.seq === 0;
  if (first !== (body.lineage !== undefined)) throw invalid('exactly the first entry of an epoch names its lineage');
  if (first !== (prev === NO_ENTRY)) throw invalid('exactly the first entry of an epoch has none before it');
  if (first && body.open !== true) throw invalid('the first entry of an epoch must carry its opening state');
  if (body.openEnd === true && body.open !== true) throw invalid('only an opening entry can end the opening');
  const lineage = (body.lineage ?? []).map(([ms, random, seq]) => ({ epoch: { ms, random: hexOf(random) }, seq }));
  let above = epoch;
  for (const point of lineage) {
    if (compareEpochs(point.epoch, above) >= 0) throw invalid('the lineage must name lower epochs, the latest first');
    above = point.epoch;
  }
  return {
    domain: parseDomainId(hexOf(body.domain)),
    author: peerKeyOf(body.author),
    epoch,
    seq: body.seq,
    prev,
    lineage,
    open: body.open === true,
    openEnd: body.openEnd === true,
    update: body.update,
  };
}

/** Throws ENTRY_INVALID for an entry of another domain, SIGNATURE_INVALID if its author did not sign it. */
export function verifyEntry(entry: LogEntry, domain: DomainId): void {
  if (entry.domain !== domain) throw invalid('it belongs to another domain');
  if (!verifySignature(entry.author, 'entry', entry.body, entry.signature)) {
    throw new DtkdError('SIGNATURE_INVALID', `entry ${entry.seq} is not signed by the author that it names`);
  }
}

/** True if no honest author signs both: two entries at one position, or a next entry that does not refer to the one before it. */
function contradict(a: EntryBody & { hash: string }, b: EntryBody & { hash: string }): boolean {
  if (a.domain !== b.domain || a.author !== b.author || compareEpochs(a.epoch, b.epoch) !== 0) return false;
  if (a.seq === b.seq) return a.hash !== b.hash;
  const [before, after] = a.seq < b.seq ? [a, b] : [b, a];
  return after.seq === before.seq + 1 && after.prev !== before.hash;
}

/** Puts both entries into one document that anybody can verify. The order of the two does not matter: the bytes are the same. */
export function forkProof(a: LogEntry, b: LogEntry): Uint8Array {
  const [first, second] = a.hash < b.hash ? [a, b] : [b, a];
  return encodeCbor([first.bytes, second.bytes]);
}

const proofSchema = z.tuple([z.instanceof(Uint8Array), z.instanceof(Uint8Array)]);

/** What a fork proof claims, before its signatures are verified. */
export interface ClaimedFork {
  domain: DomainId;
  author: PeerKey;
  epoch: Epoch;
  seq: number;
}

function readForkProof(bytes: Uint8Array): [LogEntry, LogEntry] | undefined {
  if (bytes.length > MAX_FORK_PROOF_BYTES) return undefined;
  try {
    const [a, b] = decodeCbor(bytes, proofSchema, 'a fork proof').map(parseEntry);
    return a === undefined || b === undefined || !contradict(a, b) ? undefined : [a, b];
  } catch {
    return undefined;
  }
}

/** Returns whose fork these bytes would prove if the signatures are valid; undefined if nobody's. Verifies no signature. Never throws. */
export function claimedFork(bytes: Uint8Array): ClaimedFork | undefined {
  const entries = readForkProof(bytes);
  if (entries === undefined) return undefined;
  const [a, b] = entries;
  return { domain: a.domain, author: a.author, epoch: a.epoch, seq: Math.max(a.seq, b.seq) };
}

/** Returns whose fork these bytes prove, and where; undefined if they prove none. Never throws. */
export function verifyForkProof(bytes: Uint8Array): ClaimedFork | undefined {
  const entries = readForkProof(bytes);
  const signed = entries?.every((entry) => verifySignature(entry.author, 'entry', entry.body, entry.signature)) === true;
  return signed ? claimedFork(bytes) : undefined;
}

function invalid(why: string): DtkdError {
  return new DtkdError('ENTRY_INVALID', `a log entry is refused: ${why}`);
}
