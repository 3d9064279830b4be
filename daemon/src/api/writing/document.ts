/** Converts users' documents into objects to be stored, and says field by field what is wrong. Pure. */

import type { z } from 'zod';
import { isRecord, jsonEqual } from '../../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { apiVersionOf, type Kind } from '../../../../protocol/kinds/kind.ts';
import { haveSameOwners } from '../../../../protocol/kinds/owners.ts';
import { type ApiObject, type ObjectMeta, objectMeta } from '../../../../protocol/objects/objects.ts';
import { CREATOR_ANNOTATION, OWNERS_ANNOTATION, SERVER_ANNOTATIONS } from '../../../../protocol/rights/principal.ts';
import { causesOf, invalid } from '../request/causes.ts';

/** What a user's document says. */
export interface UserDocument {
  /** The fields that users write, validated; without apiVersion, kind, metadata and the server's fields. */
  fields: Record<string, unknown>;
  metadata: z.infer<typeof objectMeta>;
  /** Paths of fields that the kind does not have; they are not in `fields`. */
  unknown: string[];
}

/** The parts of metadata that users write; the server owns the rest. */
type UserMeta = Pick<ObjectMeta, 'labels' | 'annotations' | 'finalizers' | 'ownerReferences'>;

const writable = new WeakMap<Kind, z.ZodObject>();

/** The kind's schema without the fields that only the daemon writes. */
function writableSchema(kind: Kind): z.ZodObject {
  let schema = writable.get(kind);
  if (schema === undefined) {
    const mask: Record<string, true> = {};
    for (const field of kind.serverFields) if (field in kind.schema.shape) mask[field] = true;
    schema = kind.schema.omit(mask);
    writable.set(kind, schema);
  }
  return schema;
}

/** Validates a document. Errors: BAD_REQUEST if it is not of this kind, INVALID with a cause for each wrong field. */
export function parseDocument(kind: Kind, body: unknown): UserDocument {
  if (!isRecord(body)) throw new DtkdError('BAD_REQUEST', `the body is not an object`, { next: `Send one ${kind.kind} as JSON.` });
  const { apiVersion, kind: kindName, metadata, ...rest } = body;
  const expected = apiVersionOf(kind);
  if ((apiVersion !== undefined && apiVersion !== expected) || (kindName !== undefined && kindName !== kind.kind)) {
    throw new DtkdError(
      'BAD_REQUEST',
      `the body is ${JSON.stringify(kindName ?? null)} of ${JSON.stringify(apiVersion ?? null)}`.slice(0, 300),
      {
        next: `This path takes kind "${kind.kind}" of apiVersion "${expected}".`,
      },
    );
  }
  for (const field of kind.serverFields) delete rest[field];
  const meta = objectMeta.safeParse(metadata ?? {});
  const fields = writableSchema(kind).safeParse(rest);
  const causes = [...(meta.success ? [] : causesOf(meta.error, ['metadata'])), ...(fields.success ? [] : causesOf(fields.error, []))];
  if (!meta.success || !fields.success) {
    const name = isRecord(metadata) && typeof metadata['name'] === 'string' ? metadata['name'].slice(0, 253) : '';
    throw invalid(kind, name, causes);
  }
  return {
    fields: fields.data,
    metadata: meta.data,
    unknown: [...unknownPaths(metadata ?? {}, meta.data, 'metadata'), ...unknownPaths(rest, fields.data, '')],
  };
}

/** Paths of fields in the input that parsing dropped. */
function unknownPaths(input: unknown, parsed: unknown, path: string): string[] {
  if (Array.isArray(input) && Array.isArray(parsed)) {
    return input.flatMap((item, index) => unknownPaths(item, parsed[index], `${path}[${index}]`));
  }
  if (!isRecord(input) || !isRecord(parsed)) return [];
  return Object.entries(input).flatMap(([key, value]) => {
    const inner = path === '' ? key : `${path}.${key}`;
    return Object.hasOwn(parsed, key) ? unknownPaths(value, parsed[key], inner) : [inner];
  });
}

/** `kept`: annotations written by the daemon, which documents cannot set. */
function userMeta(
  { labels, annotations: said, finalizers, ownerReferences }: UserDocument['metadata'],
  kept: Readonly<Record<string, string>>,
): UserMeta {
  const others = Object.fromEntries(Object.entries(said ?? {}).filter(([key]) => !SERVER_ANNOTATIONS.includes(key)));
  const annotations = { ...others, ...kept };
  const given = <T extends object>(value: T | null | undefined): value is T =>
    value !== undefined && value !== null && Object.keys(value).length > 0;
  return {
    ...(given(labels) ? { labels } : {}),
    ...(given(annotations) ? { annotations } : {}),
    ...(given(finalizers) ? { finalizers: [...new Set(finalizers)] } : {}),
    ...(given(ownerReferences) ? { ownerReferences: ownerReferences.map((reference) => withoutUndefined(reference)) } : {}),
  };
}

type OwnerReference = NonNullable<ObjectMeta['ownerReferences']>[number];

function withoutUndefined({ controller, blockOwnerDeletion, ...rest }: OwnerReference): OwnerReference {
  return {
    ...rest,
    ...(controller === undefined ? {} : { controller }),
    ...(blockOwnerDeletion === undefined ? {} : { blockOwnerDeletion }),
  };
}

/** A new object for the store, which fills in uid, version and time. `creator` is the user who creates it, if it is one. */
export function newObject(kind: Kind, document: UserDocument, name: string, namespace: string, creator?: string): ApiObject {
  return {
    apiVersion: apiVersionOf(kind),
    kind: kind.kind,
    metadata: {
      name,
      ...(kind.scope === 'Cluster' ? {} : { namespace }),
      uid: '',
      resourceVersion: '',
      generation: 1,
      creationTimestamp: '',
      ...userMeta(document.metadata, creator === undefined ? {} : { [CREATOR_ANNOTATION]: creator }),
    },
    ...document.fields,
  };
}

/** The stored object with the user's parts replaced; what the server wrote stays. */
export function changedObject(kind: Kind, stored: ApiObject, document: UserDocument): ApiObject {
  const { labels: _l, annotations: _a, finalizers: _f, ownerReferences: _o, ...kept } = stored.metadata;
  const server = kind.serverFields.flatMap((field) => (Object.hasOwn(stored, field) ? [[field, stored[field]] as const] : []));
  const changed: ApiObject = {
    apiVersion: stored.apiVersion,
    kind: stored.kind,
    metadata: { ...kept, ...userMeta(document.metadata, serverAnnotations(stored)) },
    ...document.fields,
    ...Object.fromEntries(server),
  };
  // the note says who set the previous owners; it does not apply to other ones
  const said = haveSameOwners(stored, changed) ? changed : annotated(changed, OWNERS_ANNOTATION, undefined);
  return jsonEqual(userFields(kind, stored), userFields(kind, said)) ? said : withGeneration(said, stored.metadata.generation + 1);
}

/** The object with one annotation set to another value, or removed. */
export function annotated(object: ApiObject, key: string, value: string | undefined): ApiObject {
  const { annotations = {}, ...metadata } = object.metadata;
  const { [key]: _before, ...others } = annotations;
  const after = value === undefined ? others : { ...others, [key]: value };
  return { ...object, metadata: { ...metadata, ...(Object.keys(after).length === 0 ? {} : { annotations: after }) } };
}

function serverAnnotations({ metadata: { annotations = {} } }: ApiObject): Record<string, string> {
  return Object.fromEntries(SERVER_ANNOTATIONS.flatMap((key) => (annotations[key] === undefined ? [] : [[key, annotations[key]]])));
}

export function withGeneration(object: ApiObject, generation: number): ApiObject {
  return { ...object, metadata: { ...object.metadata, generation } };
}

function userFields(kind: Kind, object: ApiObject): Record<string, unknown> {
  const { apiVersion: _v, kind: _k, metadata: _m, ...fields } = object;
  for (const field of kind.serverFields) delete fields[field];
  return fields;
}
