/**
 * Chooses how a list reads: by scanning the rows, or by an index. Counts, as far as needed, the names that each index gives, and takes the
 * index with the fewest. Where even that gives a large part of all rows, a scan is cheaper.
 */
import type { KvRange, KvSnapshot } from '../kv.ts';
import type { Candidates } from './candidates.ts';
import { rowNameOf } from './index-keys.ts';

/** An index that gives at most this many names is used without further checks: reading them takes milliseconds. */
const FEW = 1_000;
/** An index that gives fewer is not compared with others. */
const GOOD = 50;
/** The most names gathered and sorted if they do not come in the order of the list. */
const MAX_SORTED = 20_000;
/** Reading an object by name costs about as much as scanning this many. */
const DENSITY = 4;
/** Conditions considered: each costs a database lookup. */
const MAX_ALTERNATIVES = 8;

export type Plan =
  | { by: 'scan' }
  /** Read exactly these row names, which are sorted. */
  | { by: 'names'; names: readonly string[] }
  /** Read the names in this bucket, which come in order. */
  | { by: 'bucket'; bucket: string };

export interface PlanInput {
  alternatives: readonly Candidates[];
  /** The prefix of the keys of the objects. */
  objects: string;
  /** The row names wanted: from `first` up to, but not including, `end`. */
  first: string;
  end: string;
}

interface Tally {
  names: Set<string>;
  /** True if all names have been gathered. */
  all: boolean;
  /** The bucket, if all names come from one. */
  bucket: string | undefined;
  candidates: Candidates;
}

export async function planOf(snapshot: KvSnapshot, input: PlanInput): Promise<Plan> {
  let best: Tally | undefined;
  for (const candidates of input.alternatives.slice(0, MAX_ALTERNATIVES)) {
    const tally = await tallyOf(snapshot, candidates, input, best?.all === true ? best.names.size : FEW);
    if (best === undefined || isBetter(tally, best)) best = tally;
    if (best.all && best.names.size < GOOD) break;
  }
  if (best === undefined) return { by: 'scan' };
  if (best.all) return { by: 'names', names: [...best.names].sort() };
  if (best.bucket !== undefined) return (await isDense(snapshot, best, input)) ? { by: 'scan' } : { by: 'bucket', bucket: best.bucket };
  const whole = await tallyOf(snapshot, best.candidates, input, MAX_SORTED);
  return whole.all ? { by: 'names', names: [...whole.names].sort() } : { by: 'scan' };
}

function isBetter(a: Tally, b: Tally): boolean {
  if (a.all !== b.all) return a.all;
  return a.all ? a.names.size < b.names.size : a.bucket !== undefined && b.bucket === undefined;
}

/** Gathers names until there are more than `limit`. */
async function tallyOf(snapshot: KvSnapshot, candidates: Candidates, { first, end }: PlanInput, limit: number): Promise<Tally> {
  const tally: Tally = { names: new Set(), all: true, bucket: undefined, candidates };
  const used = new Set<string>();
  for (const each of candidates) {
    const range = 'bucket' in each ? { gte: each.bucket + first, lt: each.bucket + end } : each;
    let from = range.gte;
    for (;;) {
      const size = limit + 1;
      const keys = from < range.lt ? await keysOf(snapshot, { gte: from, lt: range.lt, limit: size }) : [];
      for (const key of keys) {
        const name = rowNameOf(key);
        if (name >= first && name < end) tally.names.add(name);
      }
      if (keys.length > 0) used.add('bucket' in each ? each.bucket : '');
      if (tally.names.size > limit) {
        const [only] = used;
        const single = used.size === 1 && only !== '' && candidates.at(-1) === each;
        return { ...tally, all: false, bucket: single ? only : undefined };
      }
      const last = keys.at(-1);
      if (last === undefined || keys.length < size) break;
      from = `${last}\0`;
    }
  }
  return tally;
}

/** True if the rows of the tally are close together among all rows. */
async function isDense(snapshot: KvSnapshot, { names }: Tally, { objects }: PlanInput): Promise<boolean> {
  const sorted = [...names].sort();
  const [first = '', last = ''] = [sorted[0], sorted.at(-1)];
  const limit = sorted.length * DENSITY;
  const keys = await keysOf(snapshot, { gte: objects + first, lt: objects + last, limit });
  return keys.length < limit;
}

async function keysOf(snapshot: KvSnapshot, range: KvRange): Promise<string[]> {
  return (await snapshot.page({ ...range, keysOnly: true })).map(([key]) => key);
}
