/** Groups resources into levels, each of which needs only earlier ones. Pure. */

import { listed } from '../findings.ts';
import type { Group, Leaf, Tree } from './plan.types.ts';

/** Components that the title of a group names. */
const NAMED = 5;

export interface Needing {
  name: string;
  needs: readonly string[];
}

/**
 * For each resource in `wanted`, those in `wanted` that it needs, directly or through resources outside `wanted`. Resources with
 * the same `needs` array get the same array.
 */
export function neededOf(all: ReadonlyMap<string, Needing>, wanted: ReadonlySet<string>): Map<string, readonly string[]> {
  const byList = new Map<readonly string[], readonly string[]>();
  const through = (needs: readonly string[], path: ReadonlySet<readonly string[]>): readonly string[] => {
    const known = byList.get(needs);
    if (known !== undefined || path.has(needs)) return known ?? [];
    const inner = new Set(path).add(needs);
    const found = new Set<string>();
    for (const name of needs) {
      if (wanted.has(name)) found.add(name);
      else for (const one of through(all.get(name)?.needs ?? [], inner)) found.add(one);
    }
    const list = [...found];
    byList.set(needs, list);
    return list;
  };
  return new Map([...wanted].map((name) => [name, through(all.get(name)?.needs ?? [], new Set())]));
}

/** Names by level, starting with resources that need nothing. */
export function levelsOf(needed: ReadonlyMap<string, readonly string[]>): string[][] {
  const level = new Map<string, number>();
  const ofList = new Map<readonly string[], number>();
  const busy = new Set<string>();
  const levelOf = (name: string): number => {
    const known = level.get(name);
    if (known !== undefined || busy.has(name)) return known ?? 0;
    busy.add(name);
    const needs = needed.get(name) ?? [];
    const own = ofList.get(needs) ?? needs.reduce((most, one) => Math.max(most, levelOf(one) + 1), 0);
    ofList.set(needs, own);
    busy.delete(name);
    level.set(name, own);
    return own;
  };
  const levels: string[][] = [];
  for (const name of needed.keys()) {
    const at = levelOf(name);
    const names = levels[at] ?? [];
    levels[at] = names;
    names.push(name);
  }
  return levels.filter((names) => names !== undefined);
}

/** A group of the leaves of one level, with a subgroup for each component if there are several. */
export function groupOf(what: string, leaves: readonly { component: string; leaf: Leaf }[]): Group {
  const byComponent = new Map<string, Tree[]>();
  for (const { component, leaf } of leaves) {
    const children = byComponent.get(component) ?? [];
    byComponent.set(component, children);
    children.push(leaf);
  }
  const groups = [...byComponent].map(([component, children]) => ({ title: `${what} ${component}`, children }));
  const [only] = groups;
  return groups.length === 1 && only !== undefined
    ? only
    : { title: `${what} ${listed([...byComponent.keys()], NAMED)}`, children: groups };
}
