import type { Figure } from './benchmark.types.ts';
import { spread } from './stats.ts';

/** One thing that is measured of dtkd and of a peer in turn. */
export interface Pair {
  metric: string;
  dtkd: () => Promise<number>;
  peer: () => Promise<number>;
}

export interface SideBySide {
  pairs: readonly Pair[];
  rounds: number;
  unit: string;
  peerName: string;
  /** What the ratio of the medians may be. */
  limit: { text: string; isMet(ratio: number): boolean };
  notes?: string[];
  say(text: string): void;
}

/** Measures all pairs in each round, after one to warm up. Who goes first alternates. */
export async function sideBySide({ pairs, rounds, unit, peerName, limit, notes = [], say }: SideBySide): Promise<Figure[]> {
  const samples = pairs.map(() => ({ dtkd: [] as number[], peer: [] as number[] }));
  for (let round = 0; round <= rounds; round += 1) {
    say(round === 0 ? 'to warm up' : `round ${round} of ${rounds}`);
    for (const [index, pair] of pairs.entries()) {
      for (const who of round % 2 === 0 ? (['dtkd', 'peer'] as const) : (['peer', 'dtkd'] as const)) {
        const value = await pair[who]();
        if (round > 0) samples[index]?.[who].push(value);
      }
    }
  }
  return pairs.map(({ metric }, index) => {
    const dtkd = spread(samples[index]?.dtkd ?? []);
    const value = spread(samples[index]?.peer ?? []);
    const ratio = dtkd.median / value.median;
    return { metric, unit, dtkd, peer: { name: peerName, value }, ratio, limit: { text: limit.text, met: limit.isMet(ratio) }, notes };
  });
}
