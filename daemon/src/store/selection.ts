import { kindByPlural } from '../../../protocol/kinds/index.ts';
import type { ApiObject, ObjectRef } from '../../../protocol/objects/objects.ts';
import {
  type FieldRequirement,
  type LabelRequirement,
  matchesFields,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
} from '../../../protocol/objects/selectors.ts';
import { matchesWhere, parseWhere } from '../../../protocol/where/where.ts';
import { type Candidates, candidatesOf } from './indexes/candidates.ts';
import { indexRulesOf } from './indexes/index-entries.ts';
import { kindPrefix, rowName } from './keys.ts';
import { prefixEnd } from './kv.ts';
import type { ListQuery } from './object-store.types.ts';

/** Sorts after every character of a name. */
const PAST_NAMES = '\x7f';
/** Fields by which every kind can be selected. */
const COMMON_FIELDS = ['metadata.name', 'metadata.namespace'];

/** What a list or watch selects: a key range, and conditions on the objects within it. */
export interface Selection {
  group: string;
  plural: string;
  namespace: string | undefined;
  /** The prefix of the keys of the kind's objects. */
  prefix: string;
  /** The key range of the rows. */
  gte: string;
  lt: string;
  /** True if the range alone decides. */
  wholeRange: boolean;
  /** Alternatives offered by indexes. Each one alone contains all matching rows. */
  candidates: readonly Candidates[];
  /** True if the selectors match an object of the range. */
  matches(object: ApiObject): boolean;
  /** True if an object of this name is of the kind, and of the namespace if there is one. */
  covers(ref: ObjectRef): boolean;
}

type Selectors = Pick<ListQuery, 'group' | 'plural' | 'namespace' | 'labelSelector' | 'fieldSelector' | 'where'>;

/** The most cached plain ranges, which pollers request again and again. When the cache is full it is emptied. */
const MAX_RANGES = 256;
/** The longest range key cached, in characters. */
const MAX_RANGE = 512;
const ranges = new Map<string, Selection>();

/** Parses the selectors of a query. Throws BAD_REQUEST that says what is wrong with them. */
export function selectionOf(query: Selectors): Selection {
  const { group, plural, namespace, labelSelector, fieldSelector, where } = query;
  if (labelSelector !== undefined || fieldSelector !== undefined || where !== undefined) return parsed(query);
  const key = namespace === undefined ? `${group}/${plural}` : `${group}/${plural}/${namespace}`;
  const known = ranges.get(key);
  if (known !== undefined) return known;
  const selection = parsed(query);
  if (key.length <= MAX_RANGE) {
    if (ranges.size >= MAX_RANGES) ranges.clear();
    ranges.set(key, selection);
  }
  return selection;
}

function parsed(query: Selectors): Selection {
  const { group, plural } = query;
  const labels: LabelRequirement[] = parseLabelSelector(query.labelSelector ?? '');
  const kind = kindByPlural(group, plural);
  const selectable = [...COMMON_FIELDS, ...(kind?.selectableFields ?? [])];
  const fields = parseFieldSelector(query.fieldSelector ?? '', selectable);
  const where = query.where === undefined || query.where.trim() === '' ? undefined : parseWhere(query.where, kind ?? {});
  const namespace = query.namespace ?? wanted(fields, 'metadata.namespace');
  const name = namespace === undefined ? undefined : wanted(fields, 'metadata.name');
  const prefix = kindPrefix(group, plural);
  const range = rangeOf(prefix, namespace, name);
  const rules = name === undefined ? indexRulesOf(group, plural) : undefined;
  return {
    group,
    plural,
    namespace,
    prefix,
    ...range,
    candidates: rules === undefined ? [] : candidatesOf(rules, { labels, fields, where }),
    wholeRange: labels.length === 0 && fields.length === 0 && where === undefined,
    matches: (object) =>
      matchesLabels(labels, object.metadata.labels) &&
      matchesFields(fields, object) &&
      (where === undefined || matchesWhere(where, object)),
    covers: (ref) => ref.group === group && ref.plural === plural && (namespace === undefined || ref.namespace === namespace),
  };
}

/** The value that a field must equal, if a requirement says so and the value can be part of a key. */
function wanted(fields: readonly FieldRequirement[], path: string): string | undefined {
  const value = fields.find((field) => field.path === path && field.equal)?.value;
  return value !== undefined && /^[A-Za-z0-9._:-]+$/.test(value) ? value : undefined;
}

function rangeOf(prefix: string, namespace: string | undefined, name: string | undefined): { gte: string; lt: string } {
  if (namespace === undefined) return { gte: prefix, lt: prefix + PAST_NAMES };
  const start = prefix + rowName(namespace, name ?? '');
  return name === undefined ? { gte: start, lt: prefixEnd(start) } : { gte: start, lt: `${start}\0` };
}
