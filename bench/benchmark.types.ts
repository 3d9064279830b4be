/** What one benchmark tells: dtkd's figure, the peer's from the same run, and the limit that was set beforehand. */
export interface Figure {
  /** What was measured, e.g. "download through the tunnel". */
  metric: string;
  unit: string;
  dtkd: Spread;
  peer?: { name: string; value: Spread };
  /** Others measured in the same run, for orientation. */
  beside?: { name: string; value: Spread }[];
  /** dtkd ÷ peer, or dtkd ÷ limit where there is no peer. */
  ratio?: number;
  /** The limit in words, and whether it was kept. Undefined if there is no limit. */
  limit?: { text: string; met: boolean };
  notes?: string[];
}

export interface Spread {
  median: number;
  least: number;
  most: number;
  samples: number[];
}

export interface Context {
  /** Fewer and shorter runs, to see that the benchmark works. */
  quick: boolean;
  /** Says what is going on, to people only. */
  say(text: string): void;
}

export interface Benchmark {
  name: string;
  title: string;
  /** Programs of the peer; without them the benchmark says so and measures dtkd alone where that makes sense. */
  needs: readonly string[];
  run(context: Context): Promise<Figure[]>;
}
