/**
 * Finds forbidden cycles of relations. A cycle is allowed only if the types of all resources on it allow it. Computes strongly connected
 * components of the ancestors of the given resources (Tarjan), in linear time and without recursion. Every newly forbidden cycle contains a
 * resource with a new parent or a changed type, so searching above those finds it.
 */
export interface Above {
  parents: readonly string[];
  /** Its type allows it to be its own ancestor. */
  cycles: boolean;
}

interface Visit {
  name: string;
  parents: readonly string[];
  next: number;
}

/**
 * The first forbidden cycle above `starts`, as names from a resource back to itself; `too many` if more than `limit` resources lie above.
 */
export async function forbiddenCycle(
  starts: Iterable<string>,
  above: (name: string) => Promise<Above | undefined>,
  limit: number,
): Promise<string[] | 'too many' | undefined> {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const known = new Map<string, Above>();
  const open: string[] = [];
  const isOpen = new Set<string>();
  for (const start of starts) {
    if (index.has(start)) continue;
    const path: Visit[] = [];
    const enter = async (name: string): Promise<void> => {
      const found = (await above(name)) ?? { parents: [], cycles: true };
      known.set(name, found);
      index.set(name, index.size);
      low.set(name, index.size - 1);
      open.push(name);
      isOpen.add(name);
      path.push({ name, parents: found.parents, next: 0 });
    };
    await enter(start);
    for (let visit = path.at(-1); visit !== undefined; visit = path.at(-1)) {
      const parent = visit.parents[visit.next];
      visit.next += 1;
      if (parent !== undefined) {
        if (!index.has(parent)) {
          if (index.size >= limit) return 'too many';
          await enter(parent);
        } else if (isOpen.has(parent)) lower(low, visit.name, index.get(parent) ?? 0);
        continue;
      }
      path.pop();
      const below = path.at(-1);
      if (below !== undefined) lower(low, below.name, low.get(visit.name) ?? 0);
      if (low.get(visit.name) !== index.get(visit.name)) continue;
      const component = open.splice(open.lastIndexOf(visit.name));
      for (const name of component) isOpen.delete(name);
      const culprit = component.find((name) => known.get(name)?.cycles === false);
      if (culprit === undefined) continue;
      const cycle = cycleThrough(culprit, new Set(component), known);
      if (cycle !== undefined) return cycle;
    }
  }
  return undefined;
}

function lower(low: Map<string, number>, name: string, value: number): void {
  low.set(name, Math.min(low.get(name) ?? value, value));
}

/** A shortest path from a resource over its parents back to itself within its component. */
function cycleThrough(name: string, component: ReadonlySet<string>, known: ReadonlyMap<string, Above>): string[] | undefined {
  const from = new Map<string, string>();
  let level = [name];
  while (level.length > 0) {
    const next: string[] = [];
    for (const at of level) {
      for (const parent of known.get(at)?.parents ?? []) {
        if (parent === name) return wayTo(name, at, from);
        if (!component.has(parent) || from.has(parent)) continue;
        from.set(parent, at);
        next.push(parent);
      }
    }
    level = next;
  }
  return undefined;
}

function wayTo(name: string, last: string, from: ReadonlyMap<string, string>): string[] {
  const way = [name];
  for (let at: string | undefined = last; at !== undefined && at !== name; at = from.get(at)) way.push(at);
  return [name, ...way.reverse()];
}
