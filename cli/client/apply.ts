import { isDeepStrictEqual } from 'node:util';
import { DtkdError } from '../../protocol/errors.ts';
import type { Kind } from '../../protocol/kinds/kind.ts';
import { isRecord, type JsonRecord, recordAt, textAt } from '../json.ts';
import type { ApiClient } from './api.ts';

/** Somebody else may write between our read and our write; so many times we look again. */
const MAX_ATTEMPTS = 5;

export type ApplyResult = 'created' | 'configured' | 'unchanged';

export interface Applied {
  result: ApplyResult;
  object: JsonRecord;
}

/** Creates the object, or makes what the user wrote in it equal to the document. */
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
 * The stored object with the document's user-written fields in place of its own. Labels given in the document replace the stored ones;
 * annotations are added, since other programs keep theirs there. Pure.
 */
export function mergeDocument(kind: Pick<Kind, 'serverFields'>, stored: JsonRecord, document: JsonRecord): JsonRecord {
  const meta = recordAt(document, 'metadata');
  const storedMeta = recordAt(stored, 'metadata');
  const annotations = { ...recordAt(storedMeta, 'annotations'), ...recordAt(meta, 'annotations') };
  const kept = Object.fromEntries(Object.entries(stored).filter(([field]) => kind.serverFields.includes(field)));
  const written = Object.fromEntries(Object.entries(document).filter(([field]) => !kind.serverFields.includes(field)));
  return {
    ...kept,
    ...written,
    metadata: {
      ...storedMeta,
      ...(isRecord(meta['labels']) ? { labels: meta['labels'] } : {}),
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
      ...(typeof meta['resourceVersion'] === 'string' ? { resourceVersion: meta['resourceVersion'] } : {}),
    },
  };
}

/** True if two objects say the same in all that users write. Defaults that the kind fills in count as written. Pure. */
export function sameUserFields(kind: Pick<Kind, 'serverFields' | 'schema'>, a: JsonRecord, b: JsonRecord): boolean {
  return isDeepStrictEqual(userFields(kind, a), userFields(kind, b));
}

function userFields(kind: Pick<Kind, 'serverFields' | 'schema'>, object: JsonRecord): unknown {
  const { metadata, apiVersion, kind: kindName, ...fields } = object;
  const written = Object.fromEntries(Object.entries(fields).filter(([field]) => !kind.serverFields.includes(field)));
  const parsed = kind.schema.partial().safeParse(written);
  return {
    apiVersion,
    kind: kindName,
    labels: recordAt(metadata, 'labels'),
    annotations: recordAt(metadata, 'annotations'),
    fields: parsed.success ? parsed.data : written,
  };
}
