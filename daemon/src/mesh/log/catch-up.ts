/** What two nodes tell each other of how far they have the logs, and what one of them lacks. Reads rows; writes nothing. */
import type { PeerKey } from '../../../../protocol/ids.ts';
import { compareEpochs, type Epoch } from '../../../../protocol/log-entry.ts';
import type { Kv } from '../../store/kv.ts';
import type { Head } from './log.types.ts';
import { topOf } from './placement.ts';
import { type AuthorState, readEntries, type Track } from './rows.ts';

export function headOf(author: PeerKey, { epoch, seq, hash }: Track): Head {
  return { author, epoch: { ms: epoch.ms, random: epoch.random }, seq, hash };
}

/** The heads of one author that others should know of: the present one last. */
export function headsOf(author: PeerKey, state: AuthorState): Head[] {
  const top = topOf(state);
  return [state.stray, top].flatMap((track) => (track === undefined ? [] : [headOf(author, track)]));
}

/** The highest head of each author. */
export function highest(heads: readonly Head[]): Map<PeerKey, Head> {
  const found = new Map<PeerKey, Head>();
  for (const head of heads) {
    const known = found.get(head.author);
    const order = known === undefined ? 1 : compareEpochs(head.epoch, known.epoch) || head.seq - known.seq;
    if (order > 0) found.set(head.author, head);
  }
  return found;
}

/** True if somebody with this head has an entry that we lack. A different entry at the same place counts: it proves a fork. */
export function isAhead(head: Head, state: AuthorState, barrier: Epoch | undefined): boolean {
  if (barrier !== undefined && compareEpochs(head.epoch, barrier) <= 0) return false;
  const top = topOf(state);
  if (top === undefined) return true;
  const order = compareEpochs(head.epoch, top.epoch);
  return order > 0 || (order === 0 && (head.seq > top.seq || (head.seq === top.seq && head.hash !== top.hash)));
}

/** The places from which to send each kept epoch to somebody with this head, the lowest epoch first. */
export function partsToSend(state: AuthorState, theirs: Head | undefined): { track: Track; from: number }[] {
  return [state.stray, state.shown, state.next].flatMap((track) => {
    const from = track === undefined ? undefined : firstToSend(track, theirs);
    return track === undefined || from === undefined ? [] : [{ track, from }];
  });
}

function firstToSend(track: Track, theirs: Head | undefined): number | undefined {
  const order = theirs === undefined ? 1 : compareEpochs(track.epoch, theirs.epoch);
  if (theirs === undefined || order > 0) return 0;
  if (order < 0) return undefined;
  if (theirs.seq < track.seq) return theirs.seq + 1;
  return theirs.seq === track.seq && theirs.hash !== track.hash ? track.seq : undefined;
}

/** Entries for somebody with these heads, until `maxBytes` are reached. */
export async function readMissing(
  kv: Kv,
  authors: readonly { author: PeerKey; prefix: string; state: AuthorState }[],
  theirs: readonly Head[],
  maxBytes: number,
): Promise<Uint8Array[]> {
  const known = highest(theirs);
  const entries: Uint8Array[] = [];
  let bytes = 0;
  for (const { author, prefix, state } of authors) {
    for (const { track, from } of partsToSend(state, known.get(author))) {
      for await (const entry of readEntries(kv, prefix, track.epoch, from, track.seq)) {
        entries.push(entry);
        bytes += entry.length;
        if (bytes >= maxBytes) return entries;
      }
    }
  }
  return entries;
}
