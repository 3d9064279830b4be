/** Chooses which heads seen of an author to keep. Pure. */
import type { WitnessedHead } from '../../../../protocol/audit/witness.ts';

/** Milliseconds: heads seen closer together than this count as one, and a head seen just now has this age. */
const NOW_MS = 60_000;

/**
 * The head to forget if there are too many: the one that leaves the smallest gap relative to its age, so that heads become sparser with
 * age. The first and the last stay. However many heads an author publishes at once, it cannot push out those seen long before.
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

/** A fact about one author's heads that is impossible if its log only grew. */
export interface Contradiction {
  /** The end of a sentence. */
  what: string;
  seen: number;
}

/** The latest contradiction: two hashes for one line, a line before one seen earlier, or another key. Undefined if there is none. */
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
