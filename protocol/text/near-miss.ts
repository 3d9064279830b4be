/** Finds the name that somebody meant who mistyped one. Pure. */

/** Names longer than this are not typed by hand. */
const MAX_NAME = 64;
/** Maximum number of candidates looked at: as many as a person would read through. */
const MAX_CANDIDATES = 1_000;
/** From this length on, two slips count as a typing error; below it, one. */
const LONG_NAME = 5;

/** Returns the candidate nearest to `name` if it is near enough: other case, or one or two letters wrong, missing, added or swapped. */
export function nearMiss(name: string, candidates: Iterable<string>): string | undefined {
  const wanted = name.toLowerCase();
  if (wanted.length === 0 || wanted.length > MAX_NAME) return undefined;
  let best: string | undefined;
  let bestDistance = (wanted.length < LONG_NAME ? 1 : 2) + 1;
  let looked = 0;
  for (const candidate of candidates) {
    if (looked++ >= MAX_CANDIDATES) break;
    if (Math.abs(candidate.length - wanted.length) >= bestDistance) continue;
    const distance = editDistance(wanted, candidate.toLowerCase());
    if (distance < bestDistance && distance < wanted.length) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Returns how many letters must be changed, added, dropped or swapped with their neighbour to turn one word into the other. */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let least = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, (before[j - 2] ?? 0) + 1);
      row.push(least);
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
