/**
 * The heads by which two nodes compare their logs, and the entries that one of them lacks. Reads rows; writes nothing. A node may send
 * several heads of one author. A head whose hash is all zeros asks for an epoch of which the node has nothing.
 */
import type { PeerKey } from '../../../../protocol/ids.ts';
import { compareEpochs, type Epoch, NO_ENTRY } from '../../../../protocol/log/log-entry.ts';
import type { Kv } from '../../store/kv.ts';
import type { Head } from './log.types.ts';
import { topOf } from './placement.ts';
import { type AuthorState, readEntries, type Track } from './rows.ts';

export function headOf(author: PeerKey, { epoch, seq, hash }: Pick<Track, 'epoch' | 'seq' | 'hash'>): Head {
  return { author, epoch: { ms: epoch.ms, random: epoch.random }, seq, hash };
}

/** The heads of one author that others should know, the highest epoch last. */
export function headsOf(author: PeerKey, state: AuthorState): Head[] {
  return [state.stray, state.shown, state.next].flatMap((track) => (track === undefined ? [] : [headOf(author, track)]));
}

/**
 * The heads to ask with. The stray epoch is left out: nothing more of it can be taken in, and it would fill the answer. The shown epoch is
 * asked for even while a higher one is incomplete, since the rest of that may be long in coming.
 */
export function asksOf(author: PeerKey, state: AuthorState): Head[] {
  return headsOf(author, { ...state, stray: undefined });
}

/** This node's own heads: of the epoch that it collects or wants from others, and of what it has written. */
export function ownHeads(author: PeerKey, own: Track | undefined, collected: Track | undefined, wanted: Epoch | undefined): Head[] {
  const asked = collected ?? (wanted === undefined ? undefined : { epoch: wanted, seq: 0, hash: NO_ENTRY });
  const present = [asked, own].flatMap((track) => (track === undefined || track.seq < 0 ? [] : [headOf(author, track)]));
  return present.sort((a, b) => compareEpochs(a.epoch, b.epoch));
}

/** True if a node with this head has an entry that we lack. A different entry at the same place counts, since it proves a fork. */
export function isAhead(head: Head, state: AuthorState, barrier: Epoch | undefined): boolean {
  if (barrier !== undefined && compareEpochs(head.epoch, barrier) <= 0) return false;
  const top = topOf(state);
  if (top === undefined) return true;
  if (compareEpochs(head.epoch, top.epoch) > 0) return true;
  const same = [state.shown, state.next].find((track) => track !== undefined && compareEpochs(head.epoch, track.epoch) === 0);
  return same !== undefined && (head.seq > same.seq || (head.seq === same.seq && head.hash !== same.hash));
}

/** Where to start sending each kept epoch to a node with these heads of that author, the lowest epoch first. */
export function partsToSend(state: AuthorState, theirs: readonly Head[]): { track: Track; from: number }[] {
  return [state.stray, state.shown, state.next].flatMap((track) => {
    const from = track === undefined ? undefined : firstToSend(track, theirs);
    return track === undefined || from === undefined ? [] : [{ track, from }];
  });
}

function firstToSend(track: Track, theirs: readonly Head[]): number | undefined {
  const same = theirs.find((head) => compareEpochs(head.epoch, track.epoch) === 0);
  if (same === undefined) return theirs.every((head) => compareEpochs(head.epoch, track.epoch) < 0) ? 0 : undefined;
  if (same.hash === NO_ENTRY) return 0;
  if (same.seq < track.seq) return same.seq + 1;
  return same.seq === track.seq && same.hash !== track.hash ? track.seq : undefined;
}

/** Entries that a node with these heads lacks, until `maxBytes` are reached. */
export async function readMissing(
  kv: Kv,
  authors: readonly { author: PeerKey; prefix: string; state: AuthorState }[],
  theirs: readonly Head[],
  maxBytes: number,
): Promise<Uint8Array[]> {
  const known = Map.groupBy(theirs, (head) => head.author);
  const entries: Uint8Array[] = [];
  let bytes = 0;
  for (const { author, prefix, state } of authors) {
    for (const { track, from } of partsToSend(state, known.get(author) ?? [])) {
      for await (const entry of readEntries(kv, prefix, track.epoch, from, track.seq)) {
        entries.push(entry);
        bytes += entry.length;
        if (bytes >= maxBytes) return entries;
      }
    }
  }
  return entries;
}
