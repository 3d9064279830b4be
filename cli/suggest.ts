/** Edits between two words beyond which a suggestion would only confuse. */
const MAX_DISTANCE = 3;

/** The candidate that the word was most likely meant to be. */
export function nearest(word: string, candidates: Iterable<string>, maxDistance = MAX_DISTANCE): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.min(maxDistance, Math.ceil(word.length / 2)) + 1;
  for (const candidate of candidates) {
    // Of two that are equally near, the one that the word begins was more likely cut short.
    const distance = editDistance(word, candidate) - (candidate.startsWith(word) ? 0.5 : 0);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** How many letters must be changed, added, dropped or swapped with their neighbour to make one word of the other. */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const current = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let value = Math.min((current[j - 1] ?? 0) + 1, (previous[j] ?? 0) + 1, (previous[j - 1] ?? 0) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) value = Math.min(value, (beforePrevious[j - 2] ?? 0) + 1);
      current.push(value);
    }
    [beforePrevious, previous] = [previous, current];
  }
  return previous[b.length] ?? 0;
}
