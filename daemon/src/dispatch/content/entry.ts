/** The record of one file: its size, who may fetch it until when, and its last use. Pure. */
import { z } from 'zod';
import { decodeCbor, encodeCbor } from '../../../../protocol/encoding/cbor.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { KEEP_BUSY_MS, KEEP_UNUSED_MS, MAX_READERS } from './limits.ts';

export interface Entry {
  size: number;
  usedAt: number;
  /** Until when every member may fetch it. 0: not all may. */
  members: number;
  /** Until when each reader may fetch it, by `DOMAIN KEY`. */
  readers: ReadonlyMap<string, number>;
}

export type Readers = 'members' | readonly { domain: string; key: string }[];

/** How rows encode "for ever". */
const FOREVER = Number.MAX_SAFE_INTEGER;

const row = z.object({
  v: z.literal(1),
  size: z.number().int().nonnegative(),
  usedAt: z.number().int(),
  members: z.number().int(),
  readers: z.array(z.tuple([z.string(), z.number().int()])).max(MAX_READERS),
});

export function encodeEntry({ size, usedAt, members, readers }: Entry): Uint8Array {
  return encodeCbor({ v: 1, size, usedAt, members, readers: [...readers] });
}

/** Undefined if the row cannot be read. */
export function decodeEntry(bytes: Uint8Array): Entry | undefined {
  try {
    const { size, usedAt, members, readers } = decodeCbor(bytes, row, 'a row of content');
    return { size, usedAt, members, readers: new Map(readers) };
  } catch {
    return undefined;
  }
}

const readerText = ({ domain, key }: { domain: string; key: string }) => `${domain} ${key}`;

/**
 * Returns the entry with these readers allowed until `until`, replacing their earlier times. Expired readers are dropped. Errors:
 * TOO_LARGE.
 */
export function allowing(entry: Entry, readers: Readers, until: number, now: number): Entry {
  const end = Math.min(FOREVER, Math.ceil(until));
  const kept = new Map([...entry.readers].filter(([, each]) => each > now));
  if (readers === 'members') return { ...entry, members: end > now ? end : 0, readers: kept };
  for (const reader of readers) {
    if (end > now) kept.set(readerText(reader), end);
    else kept.delete(readerText(reader));
  }
  if (kept.size > MAX_READERS) throw new DtkdError('TOO_LARGE', `no more than ${MAX_READERS} nodes may fetch one file`);
  return { ...entry, members: entry.members > now ? entry.members : 0, readers: kept };
}

export function mayFetch(entry: Entry, reader: { domain: string; key: string }, now: number): boolean {
  return entry.members > now || (entry.readers.get(readerText(reader)) ?? 0) > now;
}

function isWanted(entry: Entry, now: number): boolean {
  return entry.members > now || [...entry.readers.values()].some((until) => until > now);
}

/** True if the file need not be kept any longer. `pressed`: room is needed for others. */
export function isSpent(entry: Entry, now: number, pressed = false): boolean {
  return !isWanted(entry, now) && entry.usedAt + (pressed ? KEEP_BUSY_MS : KEEP_UNUSED_MS) <= now;
}
