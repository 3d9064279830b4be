/**
 * Entries that this node lacks according to other members, by author: how far it is behind. A member's claim counts until a conversation
 * with it has come to its end, since it has given all it has by then; so a false claim does not count for long. Pure, apart from its
 * state.
 */
import type { PeerKey } from '../../../../protocol/ids.ts';
import { compareEpochs } from '../../../../protocol/log/log-entry.ts';
import type { Head } from '../log/log.types.ts';

/**
 * Number of an author's entries that a node with the head `theirs` has beyond `ours`. A different entry at the same place is a fork, not
 * one more.
 */
export function entriesBehind(theirs: Head, ours: Head | undefined): number {
  const order = ours === undefined ? 1 : compareEpochs(theirs.epoch, ours.epoch);
  if (order < 0) return 0;
  return ours === undefined || order > 0 ? theirs.seq + 1 : Math.max(0, theirs.seq - ours.seq);
}

/** The highest head of each author. */
export function highestHeads(heads: readonly Head[]): Map<PeerKey, Head> {
  const highest = new Map<PeerKey, Head>();
  for (const head of heads) {
    const known = highest.get(head.author);
    if (known === undefined || compareEpochs(head.epoch, known.epoch) > 0) highest.set(head.author, head);
  }
  return highest;
}

export class ToldHeads {
  readonly #told = new Map<PeerKey, Head[]>();

  /** Notes what a member has and we lack, of authors that count here. */
  tell(teller: PeerKey, theirs: readonly Head[], ours: readonly Head[], counts: (author: PeerKey) => boolean): void {
    const highest = highestHeads(ours);
    const ahead = theirs.filter((head) => counts(head.author) && entriesBehind(head, highest.get(head.author)) > 0);
    if (ahead.length === 0) this.#told.delete(teller);
    else this.#told.set(teller, ahead);
  }

  /** Notes that the member has given all it has. */
  given(teller: PeerKey): void {
    this.#told.delete(teller);
  }

  /** Number of entries of each author that are known to exist and missing here. Only authors with missing entries. */
  behind(ours: readonly Head[], isMember: (key: PeerKey) => boolean): Map<PeerKey, number> {
    const highest = highestHeads(ours);
    const behind = new Map<PeerKey, number>();
    for (const [teller, heads] of this.#told) {
      if (!isMember(teller)) {
        this.#told.delete(teller);
        continue;
      }
      for (const head of heads) {
        const entries = isMember(head.author) ? entriesBehind(head, highest.get(head.author)) : 0;
        if (entries > (behind.get(head.author) ?? 0)) behind.set(head.author, entries);
      }
    }
    return behind;
  }
}
