/** Which components must be up before which: those that values are taken from, and those that `after` names. */
import type { Components } from './component.ts';
import { cyclesOf, knotsOf } from './cycles.ts';
import type { Findings } from './findings.ts';
import type { ResolvedLink } from './links.ts';
import { isThere } from './relations.ts';

/**
 * For each component, the resources that its own ones need, as one shared list. A component with a link needs the other end. If
 * the link only gives values, the other end needs the component instead.
 */
export function needsOf(components: Components, links: readonly ResolvedLink[], findings: Findings): Map<string, readonly string[]> {
  const needs = new Map<string, Set<string>>([...components.keys()].map((name) => [name, new Set()]));
  for (const { component, end, take, give } of links) {
    if (end.of !== 'component') continue;
    const onlyGives = Object.keys(take).length === 0 && Object.keys(give).length > 0;
    if (onlyGives) needs.get(end.name)?.add(component);
    else needs.get(component)?.add(end.name);
  }
  for (const { name, written } of components.values()) {
    for (const other of written.after ?? []) {
      if (isThere(other, ['components', name, 'after'], components, findings)) needs.get(name)?.add(other);
    }
  }
  const graph = new Map([...needs].map(([name, others]) => [name, [...others].sort()]));
  for (const cycle of cyclesOf(graph)) {
    const message = `it needs itself: ${cycle.join(' → ')}`;
    findings.add('DEPENDS_ON_ITSELF', ['components', cycle[0] ?? ''], message, 'Remove one of these links, or one `after`.');
  }
  const knots = new Map(knotsOf(graph).flatMap((knot, index) => knot.map((name) => [name, index] as const)));
  return new Map(
    [...graph].map(([name, others]) => {
      const knot = knots.get(name);
      const sound = others.filter((other) => knot === undefined || knots.get(other) !== knot);
      return [name, sound.flatMap((other) => components.get(other)?.resources.map((resource) => resource.name) ?? []).sort()];
    }),
  );
}
