import { DtkdError } from '../../../protocol/errors.ts';
import type { ObjectRef } from '../../../protocol/objects/objects.ts';
import { objectPath, scalarsAt } from '../../../protocol/where/path.ts';
import { comparable, indexOf, indexRulesOf } from './indexes/index-entries.ts';
import { bucketOf, indexedValue } from './indexes/index-keys.ts';
import { kindPrefix, refOfKey } from './keys.ts';
import type { IndexQuery } from './object-store.types.ts';
import type { Rows } from './overlay.ts';
import { objectOfRow } from './rows.ts';

/** Rows of a bucket read at once where objects have to be checked. */
const PAGE = 500;

/** Finds objects by an indexed value. Reads objects only where the index rows alone are not conclusive. */
export async function findIndexed(rows: Rows, query: IndexQuery): Promise<ObjectRef[]> {
  const { group, plural, namespace, path, limit } = query;
  const rules = indexRulesOf(group, plural);
  const index = rules === undefined ? undefined : indexOf(rules, path);
  if (rules === undefined || index === undefined) {
    throw new DtkdError('INTERNAL', `${plural} have no index of ${path.slice(0, 200)}`);
  }
  const caseless = rules.caseless.includes(path);
  const wanted = comparable(query.value, caseless);
  const value = indexedValue(wanted);
  const prefix = kindPrefix(group, plural);
  const where = rules.values.get(path) ?? { ...objectPath(path), caseless };
  const has = async (name: string): Promise<boolean> => {
    const row = await rows.get(prefix + name);
    return row !== undefined && scalarsAt(objectOfRow(row), where).some((found) => comparable(found, caseless) === wanted);
  };
  const certain = async (bucket: string): Promise<string[]> => {
    for (let size = Math.min(PAGE, limit); ; size *= 2) {
      const names = await rows.named(bucket, namespace, size);
      const found: string[] = [];
      for (const name of names) if (found.length < limit && (await has(name))) found.push(name);
      if (found.length === limit || names.length < size) return found;
    }
  };
  const bucket = bucketOf(index.prefix, value);
  const names = value.exact && !index.shadowed ? await rows.named(bucket, namespace, limit) : await certain(bucket);
  const hidden = index.record === undefined ? [] : await certain(index.record);
  const all = hidden.length === 0 ? names : [...new Set([...names, ...hidden])].sort().slice(0, limit);
  return all.map((name) => refOfKey(prefix + name));
}
