/** How a strategic merge patch merges the lists of core kinds, and what the API reference tells clients about that. Pure. */
import type { Kind } from '../kinds/kind.ts';

export interface PatchRule {
  /** For a list of objects: the field that identifies an object. */
  mergeKey?: string;
  /** For a list of plain values: each occurs once, and patches add to it. */
  set?: true;
  /**
   * For an object, or for each object in a merged list: the rules of its fields. A field without a rule is merged if it is an object, and
   * replaced if it is a list.
   */
  fields?: Readonly<Record<string, PatchRule>>;
}

const metadata: PatchRule = { fields: { ownerReferences: { mergeKey: 'uid' }, finalizers: { set: true } } };

const SERVICE: PatchRule = { fields: { metadata, spec: { fields: { ports: { mergeKey: 'port' } } } } };
/** As in Kubernetes, `subsets` is replaced as a whole. */
const OTHERS: PatchRule = { fields: { metadata } };

/** Returns the rules of a kind. Undefined for kinds without strategic merge patches: all but the core ones. */
export function patchRulesOf({ group, plural }: Pick<Kind, 'group' | 'plural'>): PatchRule | undefined {
  if (group !== '') return undefined;
  return plural === 'services' ? SERVICE : OTHERS;
}
