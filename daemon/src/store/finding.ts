import type { ApiObject, ObjectRef } from '../../../protocol/objects.ts';
import { kindPrefix, refOfKey, rowName } from './keys.ts';
import { prefixEnd } from './kv.ts';
import type { IndexQuery } from './object-store.types.ts';
import { objectOfRow } from './rows.ts';

interface Rows {
  scan(gte: string, lt: string): Promise<Map<string, Uint8Array>>;
}

/** Finds objects by looking at each. */
export async function findByScan(rows: Rows, query: IndexQuery): Promise<ObjectRef[]> {
  const prefix = kindPrefix(query.group, query.plural) + rowName(query.namespace, '');
  const found = await rows.scan(prefix, prefixEnd(prefix));
  return [...found]
    .filter(([, row]) => has(objectOfRow(row), query))
    .map(([key]) => key)
    .sort()
    .slice(0, query.limit)
    .map(refOfKey);
}

function has(object: ApiObject, { path, value }: IndexQuery): boolean {
  const steps =
    /^(metadata\.(?:labels|annotations))\.(.+)$/.exec(path)?.slice(1).join('\0').replace('.', '\0') ?? path.replaceAll('.', '\0');
  let at: unknown = object;
  for (const step of steps.split('\0'))
    at = typeof at === 'object' && at !== null && Object.hasOwn(at, step) ? Reflect.get(at, step) : undefined;
  return Array.isArray(at) ? at.includes(value) : at === value;
}
