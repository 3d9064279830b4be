/** Decides what is indexed for each kind, and in which buckets an object is listed. Pure. */
import { isRecord } from '../../../../protocol/encoding/json.ts';
import { kindByPlural } from '../../../../protocol/kinds/index.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import { CREATOR_ANNOTATION } from '../../../../protocol/rights/principal.ts';
import { isScalar, type ObjectPath, objectPath, readPath } from '../../../../protocol/where/path.ts';
import { folded } from '../../../../protocol/where/where.ts';
import { bucketOf, indexedValue, kindIndexPrefix, otherBucket, overflowBucket, pathPrefix, type Scalar } from './index-keys.ts';

/** Indexed entries of one record (labels or properties). An object with more is also listed in the overflow bucket. */
export const MAX_RECORD_ENTRIES = 32;
/** Depth of nested records that are indexed. */
const MAX_RECORD_DEPTH = 3;
/** To be raised whenever an object's buckets change. All indexes are then rebuilt. */
const ENTRIES_VERSION = 1;

const LABELS = 'metadata.labels';
const CREATOR = `metadata.annotations.${CREATOR_ANNOTATION}`;

/** What is indexed of one kind. */
export interface IndexRules {
  /** The prefix of all index rows of the kind. */
  prefix: string;
  /** Paths of which the value, or each element of the array, is indexed. */
  values: ReadonlyMap<string, ObjectPath>;
  /** Paths of records of which every entry is indexed. */
  records: ReadonlyMap<string, ObjectPath>;
  caseless: readonly string[];
  /** Changes whenever the same objects would be indexed differently. */
  signature: string;
}

const known = new Map<string, IndexRules | undefined>();

/** The rules of a kind; undefined if it has no indexes. */
export function indexRulesOf(group: string, plural: string): IndexRules | undefined {
  const prefix = kindIndexPrefix(group, plural);
  if (!known.has(prefix)) known.set(prefix, makeRules(group, plural));
  return known.get(prefix);
}

function makeRules(group: string, plural: string): IndexRules | undefined {
  const kind = kindByPlural(group, plural);
  if (kind?.indexed === undefined) return undefined;
  const values = [CREATOR, ...kind.indexed.filter((path) => !path.endsWith('.*'))];
  const records = [LABELS, ...kind.indexed.filter((path) => path.endsWith('.*')).map((path) => path.slice(0, -2))];
  const paths = (list: readonly string[]) => new Map(list.map((path) => [path, objectPath(path, kind)]));
  const caseless = kind.caseless ?? [];
  return {
    prefix: kindIndexPrefix(group, plural),
    values: paths(values),
    records: paths(records),
    caseless,
    signature: JSON.stringify([ENTRIES_VERSION, values, records, caseless, kind.defaults ?? {}]),
  };
}

/**
 * How a path is indexed; undefined if it is not. `record`: the overflow bucket of the record that the path belongs to, since overflow may
 * hide entries. `shadowed`: the index entries may come from a nested record, while the path is read as a single key with the same text.
 */
export function indexOf(rules: IndexRules, path: string): { prefix: string; record?: string; shadowed: boolean } | undefined {
  const prefix = pathPrefix(rules.prefix, path);
  if (rules.values.has(path)) return { prefix, shadowed: false };
  const record = [...rules.records.keys()].find((each) => path.startsWith(`${each}.`));
  if (record === undefined) return undefined;
  const shadowed = record !== LABELS && path.includes('.', record.length + 1);
  return { prefix, record: overflowBucket(pathPrefix(rules.prefix, record)), shadowed };
}

/** The buckets in which an object is listed. */
export function bucketsOf(rules: IndexRules, object: ApiObject): Set<string> {
  const buckets = new Set<string>();
  for (const [path, where] of rules.values) addValue(rules, buckets, path, readPath(object, where));
  for (const [path, where] of rules.records) {
    const record = readPath(object, where);
    if (isRecord(record) && addRecord(rules, buckets, path, record, MAX_RECORD_ENTRIES, MAX_RECORD_DEPTH) < 0) {
      buckets.add(overflowBucket(pathPrefix(rules.prefix, path)));
    }
  }
  return buckets;
}

/** Returns the room left for entries; negative if it was not enough. */
function addRecord(rules: IndexRules, into: Set<string>, path: string, record: object, room: number, depth: number): number {
  let left = room;
  for (const [key, value] of Object.entries(record)) {
    const weight = Array.isArray(value) ? Math.max(1, value.length) : 1;
    if (depth === 0 || left < weight) return -1;
    left -= weight;
    addValue(rules, into, `${path}.${key}`, value);
    if (isRecord(value)) left = addRecord(rules, into, `${path}.${key}`, value, left, depth - 1);
    if (left < 0) return -1;
  }
  return left;
}

function addValue(rules: IndexRules, into: Set<string>, path: string, value: unknown): void {
  if (value === undefined || value === null) return;
  const prefix = pathPrefix(rules.prefix, path);
  const scalars = (Array.isArray(value) ? value : [value]).filter(isScalar);
  if (scalars.length === 0) into.add(otherBucket(prefix));
  const caseless = rules.caseless.includes(path);
  for (const scalar of scalars) into.add(bucketOf(prefix, indexedValue(comparable(scalar, caseless))));
}

/** The form in which a value at a path is compared. */
export function comparable(value: Scalar, caseless: boolean): Scalar {
  return typeof value === 'string' ? folded(value, { caseless }) : value;
}
