/**
 * Collects which leaves wait for which. Pure. Some orders are mandatory (a resource comes after what it needs), others preferred
 * (what a workflow says, or what is safer). A preference that contradicts the mandatory order gives way, so that everything can
 * always run.
 */
import { knotsOf } from '../cycles.ts';
import type { Leaf } from './plan.types.ts';

export class Order {
  /** For each leaf, lists of the leaves before it. Leaves may share a list. */
  readonly #must = new Map<Leaf, (readonly Leaf[])[]>();
  readonly #should = new Map<Leaf, (readonly Leaf[])[]>();

  /** All of `before` must have ended well before `leaf` runs. Keeps the list, which may be passed for many leaves. */
  must(leaf: Leaf, before: readonly Leaf[]): void {
    if (before.length > 0) listIn(this.#must, leaf).push(before);
  }

  /** The same as a preference, dropped where it contradicts what must be. */
  should(leaf: Leaf, before: readonly Leaf[]): void {
    if (before.length > 0) listIn(this.#should, leaf).push(before);
  }

  /** For each leaf, the indexes in `leaves` of those that it waits for. */
  settle(leaves: readonly Leaf[]): (readonly number[])[] {
    const at = new Map(leaves.map((leaf, index) => [leaf, index]));
    const shared = new Map<readonly Leaf[], readonly number[]>();
    const numbersOf = (list: readonly Leaf[]): readonly number[] => {
      const known = shared.get(list) ?? [...new Set(list.flatMap((leaf) => at.get(leaf) ?? []))].sort((a, b) => a - b);
      shared.set(list, known);
      return known;
    };
    const must = leaves.map((leaf) => (this.#must.get(leaf) ?? []).map(numbersOf));
    const should = leaves.map((leaf) => (this.#should.get(leaf) ?? []).map(numbersOf));
    const all = leaves.map((_leaf, index) => joined([...(must[index] ?? []), ...(should[index] ?? [])], index));
    if (all.every((before, index) => (before.at(-1) ?? -1) < index)) return all;
    return withoutKnots(
      all,
      must.map((lists, index) => joined(lists, index)),
    );
  }
}

function listIn(lists: Map<Leaf, (readonly Leaf[])[]>, leaf: Leaf): (readonly Leaf[])[] {
  const list = lists.get(leaf) ?? [];
  lists.set(leaf, list);
  return list;
}

/**
 * The numbers of all lists, deduplicated and sorted, without the leaf's own. A single list is returned as it is, so that many
 * leaves share it.
 */
function joined(lists: readonly (readonly number[])[], own: number): readonly number[] {
  const [first] = lists;
  if (first !== undefined && lists.length === 1 && !first.includes(own)) return first;
  return [...new Set(lists.flat())].filter((one) => one !== own).sort((a, b) => a - b);
}

/** Breaks the cycles within each knot, and keeps as many preferences as possible. */
function withoutKnots(all: readonly (readonly number[])[], must: readonly (readonly number[])[]): (readonly number[])[] {
  const eased = [...all];
  for (const knot of knotsOf(new Map(all.map((before, index) => [index, before])))) {
    const members = new Set(knot);
    const place = new Map(sequenceOf(knot, members, all, must).map((one, at) => [one, at]));
    for (const one of knot) {
      eased[one] = (all[one] ?? []).filter((before) => !members.has(before) || (place.get(before) ?? 0) < (place.get(one) ?? 0));
    }
  }
  return eased;
}

/**
 * Puts the members of a knot into a sequence. Each turn takes, in plan order, the first member with nothing left before it;
 * failing that, the first with nothing mandatory before it; failing that, which rows written at different times can cause, the
 * first that is left.
 */
function sequenceOf(
  knot: readonly number[],
  members: ReadonlySet<number>,
  all: readonly (readonly number[])[],
  must: readonly (readonly number[])[],
): number[] {
  const left = new Set([...knot].sort((a, b) => a - b));
  const waiting = new Map<number, { all: number; must: number }>();
  const followers = new Map<number, { all: number[]; must: number[] }>(knot.map((one) => [one, { all: [], must: [] }]));
  for (const one of knot) {
    const count = { all: 0, must: 0 };
    for (const kind of ['all', 'must'] as const) {
      for (const before of (kind === 'all' ? all : must)[one] ?? []) {
        if (!members.has(before)) continue;
        count[kind] += 1;
        followers.get(before)?.[kind].push(one);
      }
    }
    waiting.set(one, count);
  }
  const sequence: number[] = [];
  while (left.size > 0) {
    const next =
      firstOf(left, (one) => waiting.get(one)?.all === 0) ??
      firstOf(left, (one) => waiting.get(one)?.must === 0) ??
      firstOf(left, () => true) ??
      0;
    left.delete(next);
    sequence.push(next);
    for (const kind of ['all', 'must'] as const) {
      for (const follower of followers.get(next)?.[kind] ?? []) {
        const count = waiting.get(follower);
        if (count !== undefined) count[kind] -= 1;
      }
    }
  }
  return sequence;
}

function firstOf(numbers: Iterable<number>, fits: (one: number) => boolean): number | undefined {
  for (const one of numbers) if (fits(one)) return one;
  return undefined;
}
