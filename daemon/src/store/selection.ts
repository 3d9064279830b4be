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

/** Above every character of a name. */
const PAST_NAMES = '\x7f';
/** Every kind can be selected by these. */
const COMMON_FIELDS = ['metadata.name', 'metadata.namespace'];

/** What a list or watch is about: a range of keys, and what has to be looked into beyond it. */
export interface Selection {
  group: string;
  plural: string;
  namespace: string | undefined;
  /** Begins the keys of the kind's objects. */
  prefix: string;
  /** Where the rows stand. */
  gte: string;
  lt: string;
  /** True if the range alone decides. */
  wholeRange: boolean;
  /** What indexes can tell; any one holds all rows that are wanted. */
  candidates: readonly Candidates[];
  /** True for an object of the range that the selectors want. */
  matches(object: ApiObject): boolean;
  /** True if an object of this name stands in the range. */
  covers(ref: ObjectRef): boolean;
}

type Selectors = Pick<ListQuery, 'group' | 'plural' | 'namespace' | 'labelSelector' | 'fieldSelector' | 'where'>;

/** Whole ranges that are remembered, since those who poll ask for them again and again; when there are more, all are forgotten. */
const MAX_RANGES = 256;
/** Characters of a range at most that is remembered. */
const MAX_RANGE = 512;
const ranges = new Map<string, Selection>();

/** Parses the selectors of a query. Throws BAD_REQUEST saying what is wrong with them. */
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

/** The one value that a field must have, if that can be read off a requirement and stand in a key. */
function wanted(fields: readonly FieldRequirement[], path: string): string | undefined {
  const value = fields.find((field) => field.path === path && field.equal)?.value;
  return value !== undefined && /^[A-Za-z0-9._:-]+$/.test(value) ? value : undefined;
}

function rangeOf(prefix: string, namespace: string | undefined, name: string | undefined): { gte: string; lt: string } {
  if (namespace === undefined) return { gte: prefix, lt: prefix + PAST_NAMES };
  const start = prefix + rowName(namespace, name ?? '');
  return name === undefined ? { gte: start, lt: prefixEnd(start) } : { gte: start, lt: `${start}\0` };
}
