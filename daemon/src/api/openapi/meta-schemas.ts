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

const API_VERSION = text('The API version of the kind: group and version.');
const KIND = text('The kind of the object.');

export function metaSchemas(): Record<string, Schema> {
  return {
    [OBJECT_META]: metadata(),
    [OWNER_REFERENCE]: { description: 'An object that another one depends on.', ...schemaOf(ownerReference) },
    [LIST_META]: LIST,
    [STATUS]: STATUS_SCHEMA,
    [DELETE_OPTIONS]: DELETING,
    [PRECONDITIONS]: {
      type: 'object',
      description: 'Conditions that must hold, otherwise nothing is done.',
      properties: { uid: text('The UID of the object.'), resourceVersion: text('The version of the object.') },
    },
    [PATCH]: {
      type: 'object',
      description: 'A patch in the form that its content type names. A JSON patch is a list of operations.',
      [OPEN]: true,
    },
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
    { description: 'The metadata that every object has.', ...schema, properties },
    { ownerReferences: { mergeKey: 'uid' }, finalizers: { set: true } },
  );
}

const LIST: Schema = {
  type: 'object',
  description: 'The metadata that every list has.',
  properties: {
    resourceVersion: text('The version of the store of the answering daemon. A watch can start from it.'),
    continue: text('The token of the next page. Not set on the last page.'),
    remainingItemCount: wholeNumber('The number of objects after this page.'),
    selfLink: text('The path of the list in the API.'),
    completeness: {
      type: 'array',
      description: 'For a list over several nodes: the state of each node. A node that did not answer is named here; this is not an error.',
      items: { type: 'object', [OPEN]: true, description: 'The state of one node.' },
    },
  },
};

const STATUS_SCHEMA: Schema = {
  type: 'object',
  description: 'The result of a request that is not answered with an object.',
  'x-kubernetes-group-version-kind': [{ group: '', version: 'v1', kind: 'Status' }],
  properties: {
    apiVersion: API_VERSION,
    kind: KIND,
    metadata: fieldOf(LIST_META, 'Empty.'),
    status: { type: 'string', enum: ['Success', 'Failure'], description: 'Success or Failure.' },
    message: text('A message for people: what happened, and what to do next.'),
    reason: text('The reason, one CamelCase word that Kubernetes clients know.'),
    code: { type: 'integer', format: 'int32', description: 'The HTTP status code.' },
    details: {
      type: 'object',
      description: 'Details for programs.',
      properties: {
        group: text('The API group of the kind.'),
        kind: text('The plural of the kind.'),
        name: text('The name of the object.'),
        uid: text('The UID of the object.'),
        code: text('The stable code of the error.'),
        next: text('What to do next.'),
        causes: {
          type: 'array',
          description: 'What is wrong, by field.',
          items: {
            type: 'object',
            description: 'What is wrong with one field.',
            properties: {
              field: text('The path of the field.'),
              message: text('What was expected.'),
              reason: text('The reason: one CamelCase word.'),
            },
          },
        },
      },
      [OPEN]: true,
    },
  },
};

const DELETING: Schema = {
  type: 'object',
  description: 'Options of a deletion.',
  'x-kubernetes-group-version-kind': [{ group: '', version: 'v1', kind: 'DeleteOptions' }],
  properties: {
    apiVersion: API_VERSION,
    kind: KIND,
    propagationPolicy: text('What happens to the objects that depend on it: Background, Foreground or Orphan.'),
    orphanDependents: { type: 'boolean', description: 'Deprecated: use propagationPolicy Orphan.' },
    gracePeriodSeconds: wholeNumber('Accepted but not used.'),
    preconditions: fieldOf(PRECONDITIONS, 'Conditions that must hold, otherwise nothing is deleted.'),
    dryRun: { type: 'array', description: 'With [All], nothing is deleted.', items: { type: 'string' } },
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
