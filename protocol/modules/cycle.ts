/** Circles in what needs what: pure. */

/** The first circle that is met from here, with its beginning at its end once more; those that are in `done` were looked at before, and are not looked at again. */
export function cycleFrom(start: string, needsOf: (name: string) => Iterable<string>, done: Set<string>): string[] | undefined {
  const path: string[] = [];
  const visit = (name: string): string[] | undefined => {
    const at = path.indexOf(name);
    if (at >= 0) return [...path.slice(at), name];
    if (done.has(name)) return undefined;
    path.push(name);
    for (const next of needsOf(name)) {
      const cycle = visit(next);
      if (cycle !== undefined) {
        for (const one of path) done.add(one);
        return cycle;
      }
    }
    path.pop();
    done.add(name);
    return undefined;
  };
  return visit(start);
}
