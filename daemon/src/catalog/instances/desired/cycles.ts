/** Cycles in graphs. Pure. */

/** One cycle for each knot, from its first member back to it. Edges to unknown nodes are ignored. */
export function cyclesOf(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  return knotsOf(graph).map((knot) => cycleIn(knot, graph));
}

/**
 * The knots of a graph: its strongly connected components of more than one node, and nodes with an edge to themselves. Members
 * are in depth-first order. Tarjan's algorithm without recursion, since graphs come from files.
 */
export function knotsOf<T>(graph: ReadonlyMap<T, readonly T[]>): T[][] {
  const index = new Map<T, number>();
  const low = new Map<T, number>();
  const open: T[] = [];
  const isOpen = new Set<T>();
  const knots: T[][] = [];
  for (const root of graph.keys()) {
    if (index.has(root)) continue;
    const path: { name: T; next: number }[] = [];
    const enter = (name: T): void => {
      index.set(name, index.size);
      low.set(name, index.get(name) ?? 0);
      open.push(name);
      isOpen.add(name);
      path.push({ name, next: 0 });
    };
    enter(root);
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const edges = graph.get(top.name) ?? [];
      const to = edges[top.next];
      if (to !== undefined) {
        top.next += 1;
        if (!graph.has(to)) continue;
        if (!index.has(to)) enter(to);
        else if (isOpen.has(to)) low.set(top.name, Math.min(low.get(top.name) ?? 0, index.get(to) ?? 0));
        continue;
      }
      path.pop();
      const parent = path.at(-1);
      if (parent !== undefined) low.set(parent.name, Math.min(low.get(parent.name) ?? 0, low.get(top.name) ?? 0));
      if (low.get(top.name) !== index.get(top.name)) continue;
      const members = open.splice(open.indexOf(top.name));
      for (const member of members) isOpen.delete(member);
      if (members.length > 1 || edges.includes(top.name)) knots.push(members);
    }
  }
  return knots;
}

/** A shortest cycle through the first member of a knot. */
function cycleIn(knot: readonly string[], graph: ReadonlyMap<string, readonly string[]>): string[] {
  const [start = ''] = knot;
  const members = new Set(knot);
  const from = new Map<string, string>();
  const queue = [start];
  for (const name of queue) {
    for (const to of graph.get(name) ?? []) {
      if (to === start) {
        const way = [start];
        for (let back: string | undefined = name; back !== undefined && back !== start; back = from.get(back)) way.unshift(back);
        return [start, ...way];
      }
      if (!members.has(to) || from.has(to)) continue;
      from.set(to, name);
      queue.push(to);
    }
  }
  return [...knot];
}
