/** Annotates the fields of core kinds with how their lists are merged, in the keywords that Kubernetes clients read. Pure. */
import type { PatchRule } from '../../../../protocol/patch/patch-rules.ts';
import type { Schema } from './schema.types.ts';

/** The schema with the merge rules of its fields. Lists without a rule are replaced as a whole. */
export function withListRules(schema: Schema, rules: Readonly<Record<string, PatchRule>> | undefined): Schema {
  const { properties, items } = schema;
  if (properties !== undefined) {
    const ruled = Object.entries(properties).map(([name, field]) => [name, withRule(field, rules?.[name])]);
    return { ...schema, properties: Object.fromEntries(ruled) };
  }
  return items === undefined ? schema : { ...schema, items: withListRules(items, rules) };
}

function withRule(field: Schema, rule: PatchRule | undefined): Schema {
  const inner = withListRules(field, rule?.fields);
  if (field.type !== 'array') return inner;
  if (rule?.mergeKey !== undefined) {
    return {
      ...inner,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': [rule.mergeKey],
      'x-kubernetes-patch-merge-key': rule.mergeKey,
      'x-kubernetes-patch-strategy': 'merge',
    };
  }
  if (rule?.set === true) return { ...inner, 'x-kubernetes-list-type': 'set', 'x-kubernetes-patch-strategy': 'merge' };
  return { ...inner, 'x-kubernetes-list-type': 'atomic' };
}
