/** The schemas of a kind and of a list of its objects. Pure. */
import type { Kind } from '../../../../protocol/kinds/kind.ts';
import { patchRulesOf } from '../../../../protocol/patch/patch-rules.ts';
import { schemaOf } from './json-schema.ts';
import { withListRules } from './list-rules.ts';
import { fieldOf, LIST_META, listName, OBJECT_META, refTo, schemaName } from './names.ts';
import type { Schema } from './schema.types.ts';

export function kindSchemas(kind: Kind): Record<string, Schema> {
  return { [schemaName(kind)]: objectSchema(kind), [listName(kind)]: listSchema(kind) };
}

export interface GroupVersionKind {
  group: string;
  version: string;
  kind: string;
}

export function kindId({ group, version, kind }: Kind): GroupVersionKind {
  return { group, version, kind };
}

function typeFields(kind: string): Record<string, Schema> {
  return {
    apiVersion: { type: 'string', description: 'The API version of the kind: group and version.' },
    kind: { type: 'string', description: `${kind}.` },
  };
}

function objectSchema(kind: Kind): Schema {
  const { required = [], properties = {}, ...fields } = schemaOf(kind.schema);
  const said = Object.entries(properties).map(([name, field]) => {
    return [name, kind.serverFields.includes(name) ? { ...field, readOnly: true } : field] as const;
  });
  // fields that only the daemon writes are not required of anybody
  const wanted = required.filter((name) => !kind.serverFields.includes(name));
  const schema: Schema = {
    ...fields,
    type: 'object',
    description: kind.description,
    ...(wanted.length > 0 ? { required: wanted } : {}),
    properties: {
      ...typeFields(kind.kind),
      metadata: fieldOf(OBJECT_META, 'The metadata of the object: name, version, labels and annotations.'),
      ...Object.fromEntries(said),
    },
    'x-kubernetes-group-version-kind': [kindId(kind)],
  };
  const rules = patchRulesOf(kind);
  return rules === undefined ? schema : withListRules(schema, rules.fields);
}

function listSchema(kind: Kind): Schema {
  const id = { ...kindId(kind), kind: `${kind.kind}List` };
  return {
    type: 'object',
    description: `A list of ${kind.plural}.`,
    required: ['items'],
    properties: {
      ...typeFields(id.kind),
      metadata: fieldOf(LIST_META, 'The metadata of the list: its version, and the token of the next page.'),
      items: { type: 'array', description: 'The objects.', items: refTo(schemaName(kind)) },
    },
    'x-kubernetes-group-version-kind': [id],
  };
}
