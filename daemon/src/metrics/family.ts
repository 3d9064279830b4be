/**
 * What a number is called and where it comes from. An area of the daemon is read once for each scrape; its families make samples of what was read.
 * Nothing here knows in which form they are told.
 */
import type { DurationCounts } from '../counting/durations.ts';

export type Labels = Readonly<Record<string, string>>;

export type Sample = { labels?: Labels; value: number } | { labels?: Labels; durations: DurationCounts };

interface FamilyAbout {
  /** With its unit; of a counter it ends in `_total`. */
  name: string;
  /** One sentence without its point. */
  help: string;
  type: 'counter' | 'gauge' | 'histogram';
  labels?: readonly string[];
}

export interface Family<T> extends FamilyAbout {
  samples(read: T): readonly Sample[];
}

/** One part of the daemon, whatever it is read as. */
export interface Area {
  name: string;
  families: readonly FamilyAbout[];
  /** Samples of each family, by its name. Rejects if the part cannot be read. */
  collect(): Promise<ReadonlyMap<string, readonly Sample[]>>;
}

export function area<T>(name: string, read: () => T | Promise<T>, families: readonly Family<T>[]): Area {
  return {
    name,
    families,
    collect: async () => {
      const from = await read();
      return new Map(families.map((family) => [family.name, family.samples(from)]));
    },
  };
}

/** One sample without labels. */
export function one(value: number): readonly Sample[] {
  return [{ value }];
}

/** One sample for each entry, under one label. */
export function each(label: string, values: Readonly<Record<string, number>>): readonly Sample[] {
  return Object.entries(values).map(([name, value]) => ({ labels: { [label]: name }, value }));
}
