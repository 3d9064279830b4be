/**
 * Entries that members told of and this node does not have (yet), by author: what a node is behind. A member's word counts until a conversation
 * with it has come to its end, since it has then given all it has; so what it makes up is not believed for long. Pure but for what it remembers.
 */
import type { PeerKey } from '../../../../protocol/ids.ts';
import { compareEpochs } from '../../../../protocol/log/log-entry.ts';
import type { Head } from '../log/log.types.ts';

/** Entries of one author that somebody with the head `theirs` has, beyond `ours`. Another entry at the same place is none: it is a fork. */
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

  /** What a member has and we lack, of authors that count here. */
  tell(teller: PeerKey, theirs: readonly Head[], ours: readonly Head[], counts: (author: PeerKey) => boolean): void {
    const highest = highestHeads(ours);
    const ahead = theirs.filter((head) => counts(head.author) && entriesBehind(head, highest.get(head.author)) > 0);
    if (ahead.length === 0) this.#told.delete(teller);
    else this.#told.set(teller, ahead);
  }

  /** It has given all that it has. */
  given(teller: PeerKey): void {
    this.#told.delete(teller);
  }

  /** How many entries of each author are known to exist and not held; authors of whom nothing is missing are left out. */
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
