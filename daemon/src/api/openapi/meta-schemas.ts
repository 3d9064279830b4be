/** Schemas that all kinds share: metadata, Status, the options of deletions and the events of watches. Made when first needed. */
import { objectMeta, ownerReference } from '../../../../protocol/objects/objects.ts';
import { OPEN, schemaOf } from './json-schema.ts';
import { withListRules } from './list-rules.ts';
import {
  DELETE_OPTIONS,
  fieldOf,
  INT_OR_STRING,
  LIST_META,
  OBJECT_META,
  OWNER_REFERENCE,
  PATCH,
  PRECONDITIONS,
  refTo,
  STATUS,
  WATCH_EVENT,
} from './names.ts';
import type { Schema } from './schema.types.ts';

const text = (description: string): Schema => ({ type: 'string', description });
const wholeNumber = (description: string): Schema => ({ type: 'integer', format: 'int64', description });

const API_VERSION = text('Group and version of the kind: what this schema is of.');
const KIND = text('What the object is.');

export function metaSchemas(): Record<string, Schema> {
  return {
    [OBJECT_META]: metadata(),
    [OWNER_REFERENCE]: { description: 'An object on which another one depends.', ...schemaOf(ownerReference) },
    [LIST_META]: LIST,
    [STATUS]: STATUS_SCHEMA,
    [DELETE_OPTIONS]: DELETING,
    [PRECONDITIONS]: {
      type: 'object',
      description: 'What has to hold, or nothing is done.',
      properties: { uid: text('Uid of the object.'), resourceVersion: text('Version of the object.') },
    },
    [PATCH]: { type: 'object', description: 'A patch: see its content type. A JSON patch is a list of operations.', [OPEN]: true },
    [WATCH_EVENT]: WATCHED,
    [INT_OR_STRING]: {
      description: 'A number or a name.',
      format: 'int-or-string',
      anyOf: [{ type: 'integer' }, { type: 'string' }],
      'x-kubernetes-int-or-string': true,
    },
  };
}

function metadata(): Schema {
  const schema = schemaOf(objectMeta);
  const { properties = {} } = schema;
  for (const name of ['creationTimestamp', 'deletionTimestamp']) {
    const field = properties[name];
    if (field !== undefined) properties[name] = { ...field, type: 'string', format: 'date-time' };
  }
  const { ownerReferences } = properties;
  if (ownerReferences !== undefined) properties['ownerReferences'] = { ...ownerReferences, items: refTo(OWNER_REFERENCE) };
  return withListRules(
    { description: 'What every object has: its names, its version, and words about it.', ...schema, properties },
    { ownerReferences: { mergeKey: 'uid' }, finalizers: { set: true } },
  );
}

const LIST: Schema = {
  type: 'object',
  description: 'What every list has.',
  properties: {
    resourceVersion: text('Version of the answering daemon: a watch goes on from it.'),
    continue: text('Where the next page begins; absent on the last one.'),
    remainingItemCount: wholeNumber('Objects that come after this page.'),
    selfLink: text('Path of the list.'),
    completeness: {
      type: 'array',
      description: 'Over several nodes: what each of them said. An absent one is named here and is no error.',
      items: { type: 'object', [OPEN]: true, description: 'One node.' },
    },
  },
};

const STATUS_SCHEMA: Schema = {
  type: 'object',
  description: 'How a request ended, where there is no object to answer with.',
  'x-kubernetes-group-version-kind': [{ group: '', version: 'v1', kind: 'Status' }],
  properties: {
    apiVersion: API_VERSION,
    kind: KIND,
    metadata: fieldOf(LIST_META, 'Empty.'),
    status: { type: 'string', enum: ['Success', 'Failure'], description: 'Success or Failure.' },
    message: text('What happened, for people, and what to do next.'),
    reason: text('The same in one word, as Kubernetes clients know it.'),
    code: { type: 'integer', format: 'int32', description: 'The HTTP status.' },
    details: {
      type: 'object',
      description: 'More, for programs.',
      properties: {
        group: text('Group of the kind.'),
        kind: text('Plural of the kind.'),
        name: text('Name of the object.'),
        uid: text('Uid of the object.'),
        code: text('Stable code of the error.'),
        next: text('What to do next.'),
        causes: {
          type: 'array',
          description: 'What is wrong, field by field.',
          items: {
            type: 'object',
            description: 'One field.',
            properties: { field: text('Path of the field.'), message: text('What was expected.'), reason: text('The same in one word.') },
          },
        },
      },
      [OPEN]: true,
    },
  },
};

const DELETING: Schema = {
  type: 'object',
  description: 'How something is deleted.',
  'x-kubernetes-group-version-kind': [{ group: '', version: 'v1', kind: 'DeleteOptions' }],
  properties: {
    apiVersion: API_VERSION,
    kind: KIND,
    propagationPolicy: text('Of what depends on it: Background, Foreground or Orphan.'),
    orphanDependents: { type: 'boolean', description: 'An older way to say Orphan.' },
    gracePeriodSeconds: wholeNumber('Accepted, and not used.'),
    preconditions: fieldOf(PRECONDITIONS, 'What has to hold, or nothing is deleted.'),
    dryRun: { type: 'array', description: '[All]: nothing is deleted.', items: { type: 'string' } },
  },
};

const WATCHED: Schema = {
  type: 'object',
  description: 'One line of a watch.',
  'x-kubernetes-group-version-kind': [{ group: '', version: 'v1', kind: 'WatchEvent' }],
  required: ['type', 'object'],
  properties: {
    type: text('ADDED, MODIFIED, DELETED, BOOKMARK or ERROR.'),
    object: { description: 'The object, or a Status if the type is ERROR.', type: 'object', [OPEN]: true },
  },
};
