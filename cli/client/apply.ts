import { isDeepStrictEqual } from 'node:util';
import { DtkdError } from '../../protocol/errors.ts';
import type { Kind } from '../../protocol/kinds/kind.ts';
import { objectMeta } from '../../protocol/objects/objects.ts';
import { isRecord, type JsonRecord, recordAt, textAt, valueAt } from '../json.ts';
import type { ApiClient } from './api.ts';

/** Metadata fields that users write. */
const USER_META = new Set(['labels', 'annotations', 'finalizers', 'ownerReferences']);

/** Known metadata fields that the server writes or ignores; a document does not change them. */
const SERVER_META = new Set(Object.keys(objectMeta.shape).filter((field) => !USER_META.has(field)));

/** Attempts if somebody else writes between our read and our write. */
const MAX_ATTEMPTS = 5;

export type ApplyResult = 'created' | 'configured' | 'unchanged';

export interface Applied {
  result: ApplyResult;
  object: JsonRecord;
}

/** Creates the object, or makes its user-written fields equal to the document's. */
export async function applyDocument(
  client: ApiClient,
  kind: Kind,
  document: JsonRecord,
  options: { namespace: string | undefined; dryRun: boolean },
): Promise<Applied> {
  const name = requireName(document);
  const target = { kind, namespace: options.namespace ?? textAt(document, 'metadata', 'namespace'), name };
  const { name: _name, ...collection } = { ...target, namespace: target.namespace ?? 'default' };
  const selection = { dryRun: options.dryRun };
  for (let attempt = 1; ; attempt += 1) {
    const stored = await client.find(target);
    try {
      if (stored === undefined) return { result: 'created', object: await client.create(collection, document, selection) };
      const wanted = mergeDocument(kind, stored, document);
      if (sameUserFields(kind, stored, wanted)) return { result: 'unchanged', object: stored };
      const object = await client.replace(target, wanted, selection);
      const same = textAt(object, 'metadata', 'resourceVersion') === textAt(stored, 'metadata', 'resourceVersion') && !options.dryRun;
      return { result: same ? 'unchanged' : 'configured', object };
    } catch (error) {
      const raced = error instanceof DtkdError && (error.code === 'CONFLICT' || (stored === undefined && error.code === 'ALREADY_EXISTS'));
      const pinned = textAt(document, 'metadata', 'resourceVersion') !== undefined;
      if (!raced || pinned || attempt >= MAX_ATTEMPTS) throw error;
    }
  }
}

export function requireName(document: JsonRecord): string {
  const name = textAt(document, 'metadata', 'name');
  if (name !== undefined && name !== '') return name;
  throw new DtkdError('INVALID', `a document of kind ${textAt(document, 'kind') ?? '<none>'} has no metadata.name`);
}

/**
 * The stored object with the user-written fields of the document. Labels given in the document replace the stored ones; annotations,
 * finalizers and owners are added, since other programs keep theirs there. Fields that no object has are left in, for the daemon to refuse.
 * Pure.
 */
export function mergeDocument(kind: Pick<Kind, 'serverFields'>, stored: JsonRecord, document: JsonRecord): JsonRecord {
  const meta = recordAt(document, 'metadata');
  const storedMeta = recordAt(stored, 'metadata');
  const said = Object.entries(meta).filter(([field, value]) => !SERVER_META.has(field) && !(USER_META.has(field) && value === null));
  const kept = Object.fromEntries(Object.entries(stored).filter(([field]) => kind.serverFields.includes(field)));
  const written = Object.fromEntries(Object.entries(document).filter(([field]) => !kind.serverFields.includes(field)));
  return {
    ...kept,
    ...written,
    metadata: {
      ...storedMeta,
      ...Object.fromEntries(said.map(([field, value]) => [field, added(field, storedMeta[field], value)])),
      ...(typeof meta['resourceVersion'] === 'string' ? { resourceVersion: meta['resourceVersion'] } : {}),
    },
  };
}

/** The new value of a metadata field for which the document gives `value`. */
function added(field: string, there: unknown, value: unknown): unknown {
  if (field === 'annotations' && isRecord(there) && isRecord(value)) return { ...there, ...value };
  if ((field !== 'finalizers' && field !== 'ownerReferences') || !Array.isArray(there) || !Array.isArray(value)) return value;
  const key = (entry: unknown): unknown => (field === 'finalizers' ? entry : textAt(entry, 'uid'));
  return [...new Map([...there, ...value].map((entry) => [key(entry), entry])).values()];
}

/**
 * True if two objects are equal in all fields that users write. Defaults of the kind count as written. A field that is unknown here makes
 * them unequal: the daemon either knows it or refuses it. Pure.
 */
export function sameUserFields(kind: Pick<Kind, 'serverFields' | 'schema'>, stored: JsonRecord, wanted: JsonRecord): boolean {
  const [is, shall] = [userFields(kind, stored), userFields(kind, wanted)];
  return !shall.hasMore && isDeepStrictEqual(is.said, shall.said);
}

function userFields(kind: Pick<Kind, 'serverFields' | 'schema'>, object: JsonRecord): { said: unknown; hasMore: boolean } {
  const { metadata, apiVersion, kind: kindName, ...fields } = object;
  const written = Object.fromEntries(Object.entries(fields).filter(([field]) => !kind.serverFields.includes(field)));
  const parsed = kind.schema.partial().safeParse(written);
  return {
    said: {
      apiVersion,
      kind: kindName,
      labels: valueAt(metadata, 'labels') ?? {},
      annotations: valueAt(metadata, 'annotations') ?? {},
      finalizers: valueAt(metadata, 'finalizers') ?? [],
      ownerReferences: valueAt(metadata, 'ownerReferences') ?? [],
      fields: parsed.success ? parsed.data : written,
    },
    hasMore:
      hasMore(written, parsed.success ? parsed.data : written) ||
      !Object.keys(recordAt(object, 'metadata')).every((field) => field in objectMeta.shape),
  };
}

/** True if parsing dropped a field. */
function hasMore(input: unknown, parsed: unknown): boolean {
  if (Array.isArray(input) && Array.isArray(parsed)) return input.some((item, index) => hasMore(item, parsed[index]));
  if (!isRecord(input) || !isRecord(parsed)) return false;
  return Object.entries(input).some(([field, value]) => !Object.hasOwn(parsed, field) || hasMore(value, parsed[field]));
}
