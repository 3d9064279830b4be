/** Finds which conditions of a selection an index can answer: ranges of index rows that together contain every matching object. Pure. */
import type { FieldRequirement, LabelRequirement } from '../../../../protocol/objects/selectors.ts';
import type { ObjectPath } from '../../../../protocol/where/path.ts';
import type { Literal, Where } from '../../../../protocol/where/where.ts';
import type { KeyRange } from '../kv.ts';
import { comparable, type IndexRules, indexOf } from './index-entries.ts';
import { bucketOf, indexedValue, type Scalar, textsFrom, valueRange, wholePath } from './index-keys.ts';

/** Candidates with more ranges are not used: each range costs a database lookup. */
const MAX_RANGES = 64;

/** The prefix of all keys of one bucket. */
export interface Bucket {
  bucket: string;
}

/** Ranges that contain all objects that a condition can match, and possibly others. */
export type Candidates = readonly (Bucket | KeyRange)[];

export interface Conditions {
  labels: readonly LabelRequirement[];
  fields: readonly FieldRequirement[];
  where: Where | undefined;
}

/** Alternatives, each of which contains all matching objects. */
export function candidatesOf(rules: IndexRules, { labels, fields, where }: Conditions): Candidates[] {
  return [
    ...labels.map((requirement) => labelCandidates(rules, requirement)),
    ...fields.map((requirement) => fieldCandidates(rules, requirement)),
    ...(where === undefined ? [] : whereCandidates(rules, where)),
  ]
    .filter((candidates) => candidates !== undefined)
    .filter((candidates) => candidates.length <= MAX_RANGES);
}

function labelCandidates(rules: IndexRules, requirement: LabelRequirement): Candidates | undefined {
  const path = `metadata.labels.${requirement.key}`;
  if (requirement.operator === 'exists') return ranges(rules, path, (prefix) => [wholePath(prefix)]);
  return requirement.operator === 'in' ? buckets(rules, path, requirement.values) : undefined;
}

function fieldCandidates(rules: IndexRules, { path, equal, value }: FieldRequirement): Candidates | undefined {
  // a missing value counts as empty text, and has no index row
  if (!equal || value === '') return undefined;
  const values: Scalar[] = [value];
  if (String(Number(value)) === value) values.push(Number(value));
  if (value === 'true' || value === 'false') values.push(value === 'true');
  return buckets(rules, path, values);
}

function whereCandidates(rules: IndexRules, where: Where): Candidates[] {
  switch (where.op) {
    case 'and':
      return where.terms.flatMap((term) => whereCandidates(rules, term));
    case 'or': {
      // every term needs candidates of its own
      const each = where.terms.map((term) => narrowest(whereCandidates(rules, term)));
      return each.includes(undefined) ? [] : [each.flatMap((candidates) => candidates ?? [])];
    }
    case 'not':
      return [];
    default:
      return [pathCandidates(rules, where)].filter((candidates) => candidates !== undefined);
  }
}

/** Nothing is counted here: buckets are assumed to be smaller than ranges. */
function narrowest(alternatives: readonly Candidates[]): Candidates | undefined {
  return alternatives.find((candidates) => candidates.every((each) => 'bucket' in each)) ?? alternatives[0];
}

function pathCandidates(rules: IndexRules, where: Extract<Where, { path: ObjectPath }>): Candidates | undefined {
  const { text: path, caseless } = where.path;
  switch (where.op) {
    case 'equal':
      return buckets(rules, path, where.values.flatMap(valuesOf));
    case 'order': {
      const value = comparable(where.value, caseless);
      return typeof value === 'boolean' ? undefined : ranges(rules, path, (prefix) => [valueRange(prefix, where.order, value)]);
    }
    case 'like':
      return ranges(rules, path, (prefix) => [textsFrom(prefix, where.pattern.prefix)]);
    default:
      return ranges(rules, path, (prefix) => [wholePath(prefix)]);
  }
}

function valuesOf({ value, text }: Literal): Scalar[] {
  return text === undefined ? [value] : [value, text];
}

function buckets(rules: IndexRules, path: string, values: readonly Scalar[]): Candidates | undefined {
  const caseless = rules.caseless.includes(path);
  return ranges(rules, path, (prefix) => {
    const keys = new Set(values.map((value) => bucketOf(prefix, indexedValue(comparable(value, caseless)))));
    return [...keys].map((bucket) => ({ bucket }));
  });
}

function ranges(rules: IndexRules, path: string, make: (prefix: string) => Candidates): Candidates | undefined {
  const index = indexOf(rules, path);
  if (index === undefined) return undefined;
  return index.record === undefined ? make(index.prefix) : [...make(index.prefix), { bucket: index.record }];
}
