/** How the lists of core kinds are merged by a strategic merge patch, and what the reference tells clients of it. Pure. */
import type { Kind } from '../kinds/kind.ts';

export interface PatchRule {
  /** Of a list of objects: the field by which two of them are the same one. */
  mergeKey?: string;
  /** Of a list of plain values: each is there once, and patches add to it. */
  set?: true;
  /** Of an object, or of each object in a list that is merged. What is not named here has no rule: its objects are merged, its lists replaced. */
  fields?: Readonly<Record<string, PatchRule>>;
}

const metadata: PatchRule = { fields: { ownerReferences: { mergeKey: 'uid' }, finalizers: { set: true } } };

const SERVICE: PatchRule = { fields: { metadata, spec: { fields: { ports: { mergeKey: 'port' } } } } };
/** As in Kubernetes, `subsets` is one value. */
const OTHERS: PatchRule = { fields: { metadata } };

/** Undefined for kinds that take no strategic merge patches: all but the core ones. */
export function patchRulesOf({ group, plural }: Pick<Kind, 'group' | 'plural'>): PatchRule | undefined {
  if (group !== '') return undefined;
  return plural === 'services' ? SERVICE : OTHERS;
}
