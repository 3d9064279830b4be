/**
 * Merges two diverged states of one author: a restored backup and what the peers still have, or a directory and its copy. Pure. An object
 * that one side knew of and no longer has was deleted there; one that a side never knew of is kept. Where both have it, an object created
 * again after a deletion wins over the deleted one; then the newer generation, then the higher resourceVersion, then theirs.
 */
import { parsePointText } from '../../../../protocol/log/log-entry.ts';
import { contains, type History, related } from './lineage.ts';
import type { Published } from './published-object.ts';

export interface Side {
  objects: ReadonlyMap<string, Published>;
  history: History;
}

export function mergeStates(ours: Side, theirs: Side): Map<string, Published> {
  const akin = related(ours.history, theirs.history);
  const knew = (side: Side, object: Published): boolean => {
    const birth = parsePointText(object.b);
    return akin && birth !== undefined && contains(side.history, birth);
  };
  const merged = new Map<string, Published>();
  for (const key of new Set([...ours.objects.keys(), ...theirs.objects.keys()])) {
    const a = ours.objects.get(key);
    const b = theirs.objects.get(key);
    let kept: Published | undefined;
    if (a === undefined) kept = b !== undefined && knew(ours, b) ? undefined : b;
    else if (b === undefined) kept = knew(theirs, a) ? undefined : a;
    else if (a.b === b.b) kept = newer(a, b);
    else if (knew(ours, b) !== knew(theirs, a)) kept = knew(ours, b) ? a : b;
    else kept = newer(a, b);
    if (kept !== undefined) merged.set(key, kept);
  }
  return merged;
}

function newer(ours: Published, theirs: Published): Published {
  const a = ours.o.metadata;
  const b = theirs.o.metadata;
  if (a.generation !== b.generation) return a.generation > b.generation ? ours : theirs;
  return BigInt(a.resourceVersion) > BigInt(b.resourceVersion) ? ours : theirs;
}
