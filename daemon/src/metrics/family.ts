/**
 * Defines what a metric is called and where its samples come from. Each area of the daemon is read once per scrape, and its
 * families make samples from what was read. Independent of the output format.
 */
import type { DurationCounts } from '../counting/durations.ts';

export type Labels = Readonly<Record<string, string>>;

export type Sample = { labels?: Labels; value: number } | { labels?: Labels; durations: DurationCounts };

interface FamilyAbout {
  /** Includes the unit; a counter's name ends in `_total`. */
  name: string;
  /** One sentence without a full stop. */
  help: string;
  type: 'counter' | 'gauge' | 'histogram';
  labels?: readonly string[];
}

export interface Family<T> extends FamilyAbout {
  samples(read: T): readonly Sample[];
}

/** One part of the daemon, whatever type it is read as. */
export interface Area {
  name: string;
  families: readonly FamilyAbout[];
  /** The samples of each family, by its name. Rejects if the part cannot be read. */
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
