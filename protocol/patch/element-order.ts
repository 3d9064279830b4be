/** Sorts a merged list into the order that a patch gives, as far as it gives one. Pure. */

export interface ElementOrder<T> {
  /** Undefined for an item without an id: it counts as not in the order. */
  idOf: (item: T) => string | undefined;
  /** The patch's order. */
  order: readonly string[];
  /** The order before the patch. */
  before: readonly (string | undefined)[];
}

/** Puts the items that the patch names into its order. The others keep theirs, each before the first named item that it preceded. */
export function mergeInOrder<T>(items: readonly T[], { idOf, order, before }: ElementOrder<T>): T[] {
  const wanted = placesOf(order);
  const stood = placesOf(before);
  const placed = (item: T, places: ReadonlyMap<string, number>) => places.get(idOf(item) ?? '');
  const named = items.filter((item) => placed(item, wanted) !== undefined);
  named.sort((a, b) => (placed(a, wanted) ?? 0) - (placed(b, wanted) ?? 0));
  const others = items.filter((item) => placed(item, wanted) === undefined);
  const result: T[] = [];
  let next = 0;
  for (const item of named) {
    const at = placed(item, stood);
    while (at !== undefined && next < others.length) {
      const other = others[next];
      const was = other === undefined ? undefined : placed(other, stood);
      if (other === undefined || was === undefined || was >= at) break;
      result.push(other);
      next += 1;
    }
    result.push(item);
  }
  return [...result, ...others.slice(next)];
}

/** Maps each id to its first position. */
function placesOf(ids: readonly (string | undefined)[]): Map<string, number> {
  const places = new Map<string, number>();
  for (const [place, id] of ids.entries()) if (id !== undefined && !places.has(id)) places.set(id, place);
  return places;
}
