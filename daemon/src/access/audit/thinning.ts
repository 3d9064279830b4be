/** Which of the heads that were seen of one author to keep: pure. */
import type { WitnessedHead } from '../../../../protocol/audit/witness.ts';

/** Heads seen closer together than this are as one; the age of what was seen just now. */
const NOW_MS = 60_000;

/**
 * The head to forget when there are too many: the one whose absence leaves the smallest hole, measured by its age, so that heads get rarer the
 * older they are. The first and the last stay. However many heads an author publishes at once, it cannot push out what was seen long before.
 */
export function leastMissed(heads: readonly WitnessedHead[], now: number): WitnessedHead | undefined {
  const sorted = heads.toSorted((a, b) => a.seen - b.seen || a.head.seq - b.head.seq);
  let least: { head: WitnessedHead; hole: number } | undefined;
  for (let index = 1; index < sorted.length - 1; index += 1) {
    const [before, head, after] = [sorted[index - 1], sorted[index], sorted[index + 1]];
    if (before === undefined || head === undefined || after === undefined) continue;
    const hole = (after.seen - before.seen) / (Math.max(0, now - head.seen) + NOW_MS);
    if (least === undefined || hole < least.hole) least = { head, hole };
  }
  return least?.head;
}

/** Something about the heads of one author that cannot be if its log only grew. */
export interface Contradiction {
  /** The end of a sentence. */
  what: string;
  seen: number;
}

/** The latest of: one place with two hashes, a place before one that was seen earlier, another key. Undefined if all is well. */
export function contradiction(heads: readonly WitnessedHead[]): Contradiction | undefined {
  let found: Contradiction | undefined;
  const hashes = new Map<number, string>();
  let highest = 0;
  let key: string | undefined;
  for (const { head, seen } of heads.toSorted((a, b) => a.seen - b.seen)) {
    const known = hashes.get(head.seq);
    if (known !== undefined && known !== head.hash) found = { what: `has shown two different lines ${head.seq}`, seen };
    else if (head.seq < highest) found = { what: `has gone back from line ${highest} to line ${head.seq}`, seen };
    else if (key !== undefined && head.key !== key) found = { what: 'is signed with another key than before', seen };
    hashes.set(head.seq, head.hash);
    highest = head.seq;
    key = head.key;
  }
  return found;
}
