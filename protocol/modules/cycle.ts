/** Finds cycles and an order in dependencies. Pure. */

/**
 * Returns the first cycle that is reachable from `start`, with its first name repeated at the end. Skips names in `done`, and adds those
 * it has finished. Linear time and no recursion, since dependencies come from files.
 */
export function cycleFrom(start: string, needsOf: (name: string) => Iterable<string>, done: Set<string>): string[] | undefined {
  if (done.has(start)) return undefined;
  const path = [{ name: start, needs: needsOf(start)[Symbol.iterator]() }];
  const onPath = new Set([start]);
  for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
    const next = top.needs.next();
    if (next.done === true) {
      path.pop();
      onPath.delete(top.name);
      done.add(top.name);
    } else if (onPath.has(next.value)) {
      const names = path.map(({ name }) => name);
      for (const name of names) done.add(name);
      return [...names.slice(names.indexOf(next.value)), next.value];
    } else if (!done.has(next.value)) {
      path.push({ name: next.value, needs: needsOf(next.value)[Symbol.iterator]() });
      onPath.add(next.value);
    }
  }
  return undefined;
}

/**
 * Returns the nodes of a graph, each after all that it leads to, except for edges that lead back. Ignores edges to unknown nodes. No
 * recursion, either.
 */
export function lastFirst(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const met = new Set<string>();
  const order: string[] = [];
  for (const root of graph.keys()) {
    const path = met.has(root) ? [] : [{ name: root, next: 0 }];
    met.add(root);
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const to = graph.get(top.name)?.[top.next];
      top.next += 1;
      if (to === undefined) {
        path.pop();
        order.push(top.name);
      } else if (graph.has(to) && !met.has(to)) {
        met.add(to);
        path.push({ name: to, next: 0 });
      }
    }
  }
  return order;
}
