/** Which resources are children of which, and whether their types allow it. */

import { MAX_PARENTS } from '../../../../../protocol/kinds/resource.ts';
import { nearMiss } from '../../../../../protocol/text/near-miss.ts';
import { type Count, mayStand, NODE_END, permitted, tooFew, tooMany } from '../../model/relation-rules.ts';
import type { Components, ExpandedComponent } from './component.ts';
import type { ComponentType } from './copied-types.ts';
import { cyclesOf } from './cycles.ts';
import { type FilePath, type Findings, listed } from './findings.ts';

/** The parents of each resource: the resources of a parent component on the same node, otherwise all of that component's. */
export function parentsOf(components: Components, findings: Findings): Map<string, readonly string[]> {
  const above = new Map<string, string[]>();
  for (const { name, written } of components.values()) {
    above.set(
      name,
      [...new Set(written.parents ?? [])].filter((parent) => isThere(parent, ['components', name, 'parents'], components, findings)),
    );
  }
  for (const cycle of cyclesOf(above)) {
    if (cycle.every((name) => components.get(name)?.type?.cycles !== false)) continue;
    findings.add('DEPENDS_ON_ITSELF', ['components', cycle[0] ?? '', 'parents'], `it is its own ancestor: ${cycle.join(' → ')}`);
  }
  const parents = new Map<string, readonly string[]>();
  for (const component of components.values()) {
    const byComponent = (above.get(component.name) ?? []).flatMap((name) => components.get(name) ?? []);
    const all = byComponent.map(({ resources }) => ({ names: resources.map(({ name }) => name), byNode: namesByNode(resources) }));
    for (const { name, node } of component.resources) {
      parents.set(
        name,
        all.flatMap(({ names, byNode }) => byNode.get(node) ?? names),
      );
    }
  }
  judge(components, parents, findings);
  return parents;
}

/** True if there is such a component; otherwise reports a violation. */
export function isThere(name: string, path: FilePath, components: Components, findings: Findings): boolean {
  if (components.has(name)) return true;
  const near = nearMiss(name, components.keys());
  findings.add(
    'UNKNOWN_COMPONENT',
    path,
    `there is no component ${name}`,
    near === undefined ? `There are: ${listed([...components.keys()])}.` : `Did you mean ${near}?`,
  );
  return false;
}

function namesByNode(resources: ExpandedComponent['resources']): Map<string, string[]> {
  const byNode = new Map<string, string[]>();
  for (const { name, node } of resources) {
    const names = byNode.get(node) ?? [];
    byNode.set(node, names);
    names.push(name);
  }
  return byNode;
}

function judge(components: Components, parents: ReadonlyMap<string, readonly string[]>, findings: Findings): void {
  const componentOf = new Map<string, ExpandedComponent>();
  for (const component of components.values()) for (const { name } of component.resources) componentOf.set(name, component);
  const typeOf = (resource: string): ComponentType | undefined => componentOf.get(resource)?.type;
  const children = new Map<string, string[]>();
  for (const [child, above] of parents) {
    for (const parent of above) {
      const names = children.get(parent) ?? [];
      children.set(parent, names);
      names.push(child);
    }
  }
  for (const { name: component, type, resources, placed } of components.values()) {
    if (type === undefined) continue;
    const path: FilePath = ['components', component];
    if (resources.length > 0 && !mayStand(type.parents, NODE_END)) {
      findings.add('COMPONENT_CONSTRAINT', path, `a ${type.name} cannot be on a node; its parents are ${permitted(type.parents ?? [])}`);
    }
    for (const { name } of resources) {
      const above = parents.get(name) ?? [];
      // its node counts as one parent
      if (above.length + 1 > MAX_PARENTS) {
        const message = `it would have ${above.length} resources as parents; at most ${MAX_PARENTS - 1} are possible`;
        findings.add(
          'TOO_MANY',
          [...path, 'parents'],
          message,
          'Lower their count, or spread them over nodes: a resource has only those of its own node as parents.',
        );
      }
      for (const parent of new Set(above.flatMap((one) => typeOf(one) ?? []))) {
        if (!mayStand(type.parents, parent)) {
          findings.add(
            'COMPONENT_CONSTRAINT',
            [...path, 'parents'],
            `a ${type.name} cannot be a child of a ${parent.name}; expected ${permitted(type.parents ?? [])}`,
          );
        }
        if (!mayStand(parent.children, type)) {
          findings.add(
            'COMPONENT_CONSTRAINT',
            [...path, 'parents'],
            `a ${parent.name} cannot have a ${type.name} as child; it takes ${permitted(parent.children ?? [])}`,
          );
        }
      }
      if (type.parents !== undefined) {
        const counts = [...countsOf(above, typeOf), { end: NODE_END, count: 1 }];
        for (const text of [...tooMany(type.parents, counts), ...tooFew(type.parents, counts)]) {
          findings.add('COMPONENT_CONSTRAINT', [...path, 'parents'], `a ${type.name} has as parents ${text}`);
        }
      }
      if (type.children === undefined || !placed) continue;
      const counts = countsOf(children.get(name) ?? [], typeOf);
      for (const text of [...tooMany(type.children, counts), ...tooFew(type.children, counts)]) {
        findings.add('COMPONENT_CONSTRAINT', path, `a ${type.name} has as children ${text}`);
      }
    }
  }
}

function countsOf(names: readonly string[], typeOf: (name: string) => ComponentType | undefined): Count[] {
  const counts = new Map<ComponentType, number>();
  for (const name of names) {
    const type = typeOf(name);
    if (type !== undefined) counts.set(type, (counts.get(type) ?? 0) + 1);
  }
  return [...counts].map(([end, count]) => ({ end, count }));
}
