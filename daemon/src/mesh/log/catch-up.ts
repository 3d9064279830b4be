/**
 * What two nodes tell each other of how far they have the logs, and what one of them lacks. Reads rows; writes nothing. A node may name
 * an author twice. A head whose hash is zeros means: nothing of that epoch, but send it.
 */
import type { PeerKey } from '../../../../protocol/ids.ts';
import { compareEpochs, type Epoch, NO_ENTRY } from '../../../../protocol/log-entry.ts';
import type { Kv } from '../../store/kv.ts';
import type { Head } from './log.types.ts';
import { topOf } from './placement.ts';
import { type AuthorState, readEntries, type Track } from './rows.ts';

export function headOf(author: PeerKey, { epoch, seq, hash }: Pick<Track, 'epoch' | 'seq' | 'hash'>): Head {
  return { author, epoch: { ms: epoch.ms, random: epoch.random }, seq, hash };
}

/** The heads of one author that others should know of: the present one last. */
export function headsOf(author: PeerKey, state: AuthorState): Head[] {
  const top = topOf(state);
  return [state.stray, top].flatMap((track) => (track === undefined ? [] : [headOf(author, track)]));
}

/** This node's own heads: of what it collects, or would like to be sent, and of what it has written. */
export function ownHeads(author: PeerKey, own: Track | undefined, collected: Track | undefined, wanted: Epoch | undefined): Head[] {
  const asked = collected ?? (wanted === undefined ? undefined : { epoch: wanted, seq: 0, hash: NO_ENTRY });
  const present = [asked, own].flatMap((track) => (track === undefined || track.seq < 0 ? [] : [headOf(author, track)]));
  return present.sort((a, b) => compareEpochs(a.epoch, b.epoch));
}

/** Without the lower ones of authors that are named twice, but for this node itself, which collects a lower epoch of its own. */
export function highestOfOthers(heads: readonly Head[], self: PeerKey): Head[] {
  const highest = new Map<PeerKey, Head>();
  for (const head of heads) {
    const known = highest.get(head.author);
    if (known === undefined || compareEpochs(head.epoch, known.epoch) > 0) highest.set(head.author, head);
  }
  return heads.filter((head) => head.author === self || highest.get(head.author) === head);
}

/** True if somebody with this head has an entry that we lack. A different entry at the same place counts: it proves a fork. */
export function isAhead(head: Head, state: AuthorState, barrier: Epoch | undefined): boolean {
  if (barrier !== undefined && compareEpochs(head.epoch, barrier) <= 0) return false;
  const top = topOf(state);
  if (top === undefined) return true;
  const order = compareEpochs(head.epoch, top.epoch);
  return order > 0 || (order === 0 && (head.seq > top.seq || (head.seq === top.seq && head.hash !== top.hash)));
}

/** The places from which to send each kept epoch to somebody with these heads of that author, the lowest epoch first. */
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

/** Entries for somebody with these heads, until `maxBytes` are reached. */
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
