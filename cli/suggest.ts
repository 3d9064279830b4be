import { editDistance } from '../protocol/text/near-miss.ts';

/** Suggestions with more edits than this would only confuse. */
const MAX_DISTANCE = 3;

/** The candidate most likely meant by the word. */
export function nearest(word: string, candidates: Iterable<string>, maxDistance = MAX_DISTANCE): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.min(maxDistance, Math.floor(word.length / 2)) + 1;
  for (const candidate of candidates) {
    // Of equally near candidates prefer one that starts with the word, which was likely cut short.
    const distance = editDistance(word, candidate) - (candidate.startsWith(word) ? 0.5 : 0);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}
