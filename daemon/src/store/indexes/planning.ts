/**
 * Chooses how a list reads: the rows themselves, or by an index. Counts what each index would give, as far as needed, and takes the one with
 * the fewest; where even that gives a good part of all rows, reading them in turn is cheaper.
 */
import type { KvRange, KvSnapshot } from '../kv.ts';
import type { Candidates } from './candidates.ts';
import { rowNameOf } from './index-keys.ts';

/** An index that gives fewer is used as it is: reading so many objects takes milliseconds. */
const FEW = 1_000;
/** An index that gives less is not compared with others. */
const GOOD = 50;
/** Names gathered and sorted at most, where they do not come in the order of a list. */
const MAX_SORTED = 20_000;
/** Reading an object by its name costs about as much as reading so many in turn. */
const DENSITY = 4;
/** Conditions looked at: each costs a look into the database. */
const MAX_ALTERNATIVES = 8;

export type Plan =
  | { by: 'scan' }
  /** Exactly these row names have to be looked at; sorted. */
  | { by: 'names'; names: readonly string[] }
  /** The names in this range of index rows, which come in order. */
  | { by: 'bucket'; bucket: string };

export interface PlanInput {
  alternatives: readonly Candidates[];
  /** Begins the keys of the objects. */
  objects: string;
  /** Row names wanted: from `first` on, below `end`. */
  first: string;
  end: string;
}

interface Tally {
  names: Set<string>;
  /** False if there are more. */
  all: boolean;
  /** If all names come from one bucket. */
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

/** True if the rows of the tally stand close together among all. */
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
