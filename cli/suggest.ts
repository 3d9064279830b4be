import { editDistance } from '../protocol/text/near-miss.ts';

/** Edits between two words beyond which a suggestion would only confuse. */
const MAX_DISTANCE = 3;

/** The candidate that the word was most likely meant to be. */
export function nearest(word: string, candidates: Iterable<string>, maxDistance = MAX_DISTANCE): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.min(maxDistance, Math.floor(word.length / 2)) + 1;
  for (const candidate of candidates) {
    // Of two that are equally near, the one that the word begins was more likely cut short.
    const distance = editDistance(word, candidate) - (candidate.startsWith(word) ? 0.5 : 0);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}
