/**
 * Where the logs of one domain are in the key-value store. Below `l/<domain>/<author>/`: `h` how far the log is kept, `e/<epoch>/<seq>`
 * the entries as received, `f` the proof that the author forked, `o/<group/plural/name>` the namespace under which this author's object is
 * in the store, `c` a mark that one of its objects found its place taken. An object in the store is an author's only if the author has an
 * `o/` row for it.
 */
import { z } from 'zod';
import type { DomainId, PeerKey } from '../../../../protocol/ids.ts';
import { parsePeerKey } from '../../../../protocol/ids.ts';
import { type Epoch, epochText, type Point, seqText } from '../../../../protocol/log/log-entry.ts';
import { type Kv, prefixEnd } from '../../store/kv.ts';
import { ROW_PAGE } from './limits.ts';

/** How far one epoch of one author is kept here. */
export interface Track {
  epoch: Epoch;
  /** Sequence number of the last entry. */
  seq: number;
  hash: string;
  /** True once the whole opening state is here. */
  opened: boolean;
  /** Bytes of its entries. */
  bytes: number;
}

/** All that is kept of an author's log. */
export interface AuthorState {
  /** The highest epoch with a complete opening: the one that is shown. */
  shown: Track | undefined;
  /** A higher epoch with an incomplete opening. */
  next: Track | undefined;
  /** A lower epoch from which the shown one does not descend: kept for its author, who may have lost it. */
  stray: Track | undefined;
  /** This epoch and all lower ones are void: the author forked. */
  barrier: Epoch | undefined;
  /** The version of dtkd that last put all shown objects into the store: another one may know more kinds or read objects differently. */
  by: string | undefined;
}

export const NOTHING: AuthorState = { shown: undefined, next: undefined, stray: undefined, barrier: undefined, by: undefined };

export function pointOf(track: Track): Point {
  return { epoch: track.epoch, seq: track.seq };
}

export function domainPrefix(domain: DomainId): string {
  return `l/${domain}/`;
}

export function authorPrefix(domain: DomainId, author: PeerKey): string {
  return `l/${domain}/${author}/`;
}

export const headRow = (prefix: string): string => `${prefix}h`;
export const forkRow = (prefix: string): string => `${prefix}f`;
export const collisionRow = (prefix: string): string => `${prefix}c`;
export const entryRow = (prefix: string, { epoch, seq }: Point): string => `${prefix}e/${epochText(epoch)}/${seqText(seq)}`;
export const objectRow = (prefix: string, key: string): string => `${prefix}o/${key}`;
export const objectRows = (prefix: string): string => `${prefix}o/`;

/** The ranges of entries below `epoch`, except those of `kept`. */
export function rowsBelow(prefix: string, epoch: Epoch, kept: Epoch | undefined): [gte: string, lt: string][] {
  const end = `${prefix}e/${epochText(epoch)}/`;
  if (kept === undefined) return [[`${prefix}e/`, end]];
  const spared = `${prefix}e/${epochText(kept)}/`;
  return [
    [`${prefix}e/`, spared],
    [prefixEnd(spared), end],
  ];
}

/** The range of one epoch's entries. */
export function epochRows(prefix: string, epoch: Epoch): [gte: string, lt: string] {
  const begin = `${prefix}e/${epochText(epoch)}/`;
  return [begin, prefixEnd(begin)];
}

const epochSchema = z.object({ ms: z.number().int().nonnegative(), random: z.string().length(16) });
const trackSchema = z.object({
  epoch: epochSchema,
  seq: z.number().int().nonnegative(),
  hash: z.string().length(64),
  opened: z.boolean(),
  bytes: z.number().int().nonnegative(),
});
const stateSchema = z.object({
  shown: trackSchema.optional(),
  next: trackSchema.optional(),
  stray: trackSchema.optional(),
  barrier: epochSchema.optional(),
  by: z.string().optional(),
});

export function encodeState(state: AuthorState): Uint8Array {
  return Buffer.from(JSON.stringify(state));
}

/** Undefined if the row cannot be read; the log is then fetched again. */
export function decodeState(row: Uint8Array): AuthorState | undefined {
  try {
    return { ...NOTHING, ...stateSchema.parse(JSON.parse(Buffer.from(row).toString('utf8'))) };
  } catch {
    return undefined;
  }
}

/** Every author that has rows here, with its decoded row `h`. */
export async function readAuthors(kv: Kv, domain: DomainId): Promise<Map<PeerKey, AuthorState | undefined>> {
  const prefix = domainPrefix(domain);
  const authors = new Map<PeerKey, AuthorState | undefined>();
  for (let gte = prefix; ; ) {
    const [row] = await kv.page({ gte, lt: prefixEnd(prefix), limit: 1 });
    if (row === undefined) return authors;
    const author = parsePeerKey(row[0].slice(prefix.length, prefix.length + 64));
    const head = await kv.get(headRow(authorPrefix(domain, author)));
    authors.set(author, head === undefined ? undefined : decodeState(head));
    gte = prefixEnd(authorPrefix(domain, author));
  }
}

/** The entries of one epoch from `from` to `to`, page by page. */
export async function* readEntries(kv: Kv, prefix: string, epoch: Epoch, from: number, to: number): AsyncGenerator<Uint8Array> {
  for (let next = from; next <= to; ) {
    const page = await kv.page({
      gte: entryRow(prefix, { epoch, seq: next }),
      lt: prefixEnd(entryRow(prefix, { epoch, seq: to })),
      limit: ROW_PAGE,
    });
    for (const [, bytes] of page) yield bytes;
    if (page.length < ROW_PAGE) return;
    next += page.length;
  }
}
