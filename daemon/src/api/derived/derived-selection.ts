/** Converts a query about derived objects into one about their sources, and a check for what remains. Pure. */

import { kindByPlural } from '../../../../protocol/kinds/index.ts';
import type { Derivation } from '../../../../protocol/kinds/kind.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import {
  type LabelRequirement,
  matchesFields,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
} from '../../../../protocol/objects/selectors.ts';
import { matchesWhere, parseWhere } from '../../../../protocol/where/where.ts';
import type { ListQuery } from '../../store/object-store.types.ts';

const COMMON_FIELDS = ['metadata.name', 'metadata.namespace'];
/** Names that can be put into a field selector unescaped. */
const PLAIN_NAME = /^[a-z0-9.-]{1,253}$/;

export interface DerivedSelection {
  /** Overrides the same fields of the query. */
  sources: Required<Pick<ListQuery, 'group' | 'plural' | 'labelSelector' | 'fieldSelector' | 'where'>>;
  matches(object: ApiObject): boolean;
}

/** Throws BAD_REQUEST for selectors that cannot be read. */
export function derivedSelection(query: Omit<ListQuery, 'limit' | 'continue'>, { from, label }: Derivation): DerivedSelection {
  const kind = kindByPlural(query.group, query.plural);
  const labels = parseLabelSelector(query.labelSelector ?? '');
  const fields = parseFieldSelector(query.fieldSelector ?? '', [...COMMON_FIELDS, ...(kind?.selectableFields ?? [])]);
  const where = query.where === undefined || query.where.trim() === '' ? undefined : parseWhere(query.where, kind ?? {});
  const name = sourceNamed(labels, label);
  return {
    sources: {
      group: from.group,
      plural: from.plural,
      labelSelector: '',
      fieldSelector: name === undefined ? '' : `metadata.name=${name}`,
      where: '',
    },
    matches: (object) =>
      matchesLabels(labels, object.metadata.labels) &&
      matchesFields(fields, object) &&
      (where === undefined || matchesWhere(where, object)),
  };
}

/** The only source that a query concerns, if the query names one. */
function sourceNamed(labels: readonly LabelRequirement[], key: string): string | undefined {
  const requirement = labels.find((label) => label.key === key && label.operator === 'in');
  const [only, ...more] = requirement !== undefined && 'values' in requirement ? requirement.values : [];
  return only !== undefined && more.length === 0 && PLAIN_NAME.test(only) ? only : undefined;
}
