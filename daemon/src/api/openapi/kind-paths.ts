/** The paths of a kind with their operations: the ones that app.ts serves, made from the same description of the kind. Pure. */
import { apiVersionOf, type Kind, type Verb } from '../../../../protocol/kinds/kind.ts';
import { patchRulesOf } from '../../../../protocol/patch/patch-rules.ts';
import { allowsDeleteCollection } from '../discovery/discovery.ts';
import { patchTypes } from '../request/media.ts';
import { kindId } from './kind-schemas.ts';
import { DELETE_OPTIONS, listName, PATCH, refTo, STATUS, schemaName, WATCH_EVENT } from './names.ts';
import { DELETING, DRY_RUN, FIELD_MANAGER, FIELD_VALIDATION, LISTING, NAME, NAMESPACE } from './parameters.ts';
import type { Content, Operation, Parameter, PathItem, Paths, Reference, Schema } from './schema.types.ts';

const JSON_TYPE = 'application/json';
const WATCH_TYPE = 'application/json;stream=watch';

export const parameterRef = (name: string): Reference => ({ $ref: `#/components/parameters/${name}` });
export const FAILURE: Reference = { $ref: '#/components/responses/Failure' };

const json = (schema: Schema): Content => ({ [JSON_TYPE]: { schema } });
const answer = (description: string, schema: Schema) => ({ description, content: json(schema) });
const refs = (parameters: Record<string, Parameter>): Reference[] => Object.keys(parameters).map(parameterRef);

/** The path of a kind's collection, of one node or of all. */
function collectionPath(kind: Kind, scope: 'namespace' | 'everywhere' = 'namespace'): string {
  const base = kind.group === '' ? `/api/${kind.version}` : `/apis/${apiVersionOf(kind)}`;
  return kind.scope === 'Cluster' || scope === 'everywhere' ? `${base}/${kind.plural}` : `${base}/namespaces/{namespace}/${kind.plural}`;
}

export function objectPath(kind: Kind): string {
  return `${collectionPath(kind)}/{name}`;
}

/** The group's part in the names of operations: `Core`, `Dtkd`, `Sid`. */
export function groupWord(group: string): string {
  const [first = ''] = group.split('.');
  return group === '' ? 'Core' : `${first.charAt(0).toUpperCase()}${first.slice(1)}`;
}

export function operationName(verb: string, kind: Pick<Kind, 'group' | 'version' | 'kind' | 'scope'>, rest = ''): string {
  const version = kind.version.charAt(0).toUpperCase() + kind.version.slice(1);
  const upper = kind.kind.charAt(0).toUpperCase() + kind.kind.slice(1);
  return `${verb}${groupWord(kind.group)}${version}${kind.scope === 'Namespaced' && rest === '' ? 'Namespaced' : ''}${upper}${rest}`;
}

/** The name and tag of an operation of a kind. */
function base(kind: Kind, verb: string, action: string, summary: string, description: string, rest = ''): Omit<Operation, 'responses'> {
  return {
    operationId: operationName(verb, kind, rest),
    summary,
    description,
    tags: [kind.kind],
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': kindId(kind),
  };
}

/** `a Service`, `an Event`; for a kind that is a plural already, `Endpoints`. */
function one({ kind, plural }: Kind): string {
  if (kind.toLowerCase() === plural) return kind;
  return `${/^[AEIO]/.test(kind) ? 'an' : 'a'} ${kind}`;
}

export function kindPaths(kind: Kind): Paths {
  const can = (verb: Verb) => kind.verbs.includes(verb);
  const isNamespaced = kind.scope === 'Namespaced';
  const collection: PathItem = {
    ...(isNamespaced ? { parameters: [parameterRef(NAMESPACE.name)] } : {}),
    ...(can('list') ? { get: list(kind, 'namespace') } : {}),
    ...(can('create') ? { post: create(kind) } : {}),
    ...(allowsDeleteCollection(kind) ? { delete: deleteCollection(kind) } : {}),
  };
  const object: PathItem = {
    parameters: [parameterRef(NAME.name), ...(isNamespaced ? [parameterRef(NAMESPACE.name)] : [])],
    ...(can('get') ? { get: read(kind) } : {}),
    ...(can('update') ? { put: replace(kind) } : {}),
    ...(can('patch') ? { patch: patch(kind) } : {}),
    ...(can('delete') ? { delete: remove(kind) } : {}),
  };
  const paths: Paths = {};
  if (isNamespaced && can('list')) paths[collectionPath(kind, 'everywhere')] = { get: list(kind, 'everywhere') };
  paths[collectionPath(kind)] = collection;
  if (kind.verbs.some((verb) => verb !== 'create')) paths[objectPath(kind)] = object;
  return paths;
}

function list(kind: Kind, scope: 'namespace' | 'everywhere'): Operation {
  const everywhere = scope === 'everywhere';
  const where = kind.scope === 'Cluster' ? '' : everywhere ? ' of all nodes' : ' of one node';
  const selectable = ['metadata.name', 'metadata.namespace', ...kind.selectableFields].map((field) => `\`${field}\``).join(', ');
  const absent = everywhere
    ? ' A node that does not answer, or is not asked, is named in `metadata.completeness` and in a Warning header. This is not an error.'
    : '';
  return {
    ...base(
      kind,
      'list',
      'list',
      `List ${kind.plural}${where}`,
      `${kind.description}${absent} Field selectors: ${selectable}.`,
      everywhere ? 'ForAllNamespaces' : '',
    ),
    parameters: refs(LISTING),
    responses: {
      '200': {
        description: `The list; with \`watch\`, one change per line.`,
        content: { ...json(refTo(listName(kind))), [WATCH_TYPE]: { schema: refTo(WATCH_EVENT) } },
      },
      default: FAILURE,
    },
  };
}

function create(kind: Kind): Operation {
  return {
    ...base(kind, 'create', 'post', `Create ${one(kind)}`, kind.description),
    parameters: [DRY_RUN, FIELD_VALIDATION, parameterRef(FIELD_MANAGER.name)],
    requestBody: { required: true, content: json(refTo(schemaName(kind))) },
    responses: { '201': answer('The stored object.', refTo(schemaName(kind))), default: FAILURE },
  };
}

function deleteCollection(kind: Kind): Operation {
  return {
    ...base(kind, 'delete', 'deletecollection', `Delete ${kind.plural}`, 'Deletes all objects that match.', 'Collection'),
    parameters: [parameterRef('labelSelector'), parameterRef('fieldSelector'), parameterRef('where'), DRY_RUN, ...refs(DELETING)],
    requestBody: { content: json(refTo(DELETE_OPTIONS)) },
    responses: { '200': answer('The result.', refTo(STATUS)), default: FAILURE },
  };
}

function read(kind: Kind): Operation {
  return {
    ...base(kind, 'read', 'get', `Read ${one(kind)}`, kind.description),
    responses: { '200': answer('The object.', refTo(schemaName(kind))), default: FAILURE },
  };
}

function replace(kind: Kind): Operation {
  return {
    ...base(
      kind,
      'replace',
      'put',
      `Replace ${one(kind)}`,
      'If the body has `metadata.resourceVersion`, the write fails unless the object still has that version.',
    ),
    parameters: [DRY_RUN, FIELD_VALIDATION, parameterRef(FIELD_MANAGER.name)],
    requestBody: { required: true, content: json(refTo(schemaName(kind))) },
    responses: { '200': answer('The stored object.', refTo(schemaName(kind))), default: FAILURE },
  };
}

function patch(kind: Kind): Operation {
  const types = patchTypes(patchRulesOf(kind) !== undefined);
  return {
    ...base(kind, 'patch', 'patch', `Change ${one(kind)}`, 'Changes only the fields that the patch names.'),
    parameters: [DRY_RUN, FIELD_VALIDATION, parameterRef(FIELD_MANAGER.name)],
    requestBody: { required: true, content: Object.fromEntries(types.map((type) => [type, { schema: refTo(PATCH) }])) },
    responses: { '200': answer('The stored object.', refTo(schemaName(kind))), default: FAILURE },
  };
}

function remove(kind: Kind): Operation {
  return {
    ...base(
      kind,
      'delete',
      'delete',
      `Delete ${one(kind)}`,
      'An object with finalizers is only marked. It is deleted once they are removed.',
    ),
    parameters: [DRY_RUN, ...refs(DELETING)],
    requestBody: { content: json(refTo(DELETE_OPTIONS)) },
    responses: { '200': answer('The result, or the object while it is being deleted.', refTo(STATUS)), default: FAILURE },
  };
}
