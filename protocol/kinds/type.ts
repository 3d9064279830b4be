import { z } from 'zod';
import { codeName, digest, moduleVersion, signingKeyText } from '../definitions/code.ts';
import { commands, template } from '../definitions/commands.ts';
import { linkName, linkRule, MAX_TYPE_NAME, propertyName, propertyRule, relationRule, scopedTypeName } from '../definitions/type-rules.ts';
import type { ApiObject } from '../objects/objects.ts';
import { ALL_VERBS, type Kind } from './kind.ts';
import { DTKD_GROUP } from './paths.ts';

export const typeSpec = z.object({
  name: scopedTypeName.optional().describe('The display name of the type. Default: the name of the object.'),
  extends: z.string().max(MAX_TYPE_NAME).optional().describe('The type whose properties, rules and commands this type inherits.'),
  abstract: z.boolean().optional().describe('Whether the type exists only to be extended: no resource can be of it. Default: false.'),
  description: z.string().max(4096).optional().describe('A description of the resources of this type.'),
  properties: z.record(propertyName, propertyRule).optional().describe('The properties of its resources, by name.'),
  open: z
    .boolean()
    .optional()
    .describe('Whether resources may have undeclared properties. Default: as in the supertype. The built-in types are open.'),
  children: z
    .array(relationRule)
    .max(64)
    .optional()
    .describe('The types allowed as children. If neither this type nor a supertype sets it, any type is allowed.'),
  parents: z
    .array(relationRule)
    .max(64)
    .optional()
    .describe('The types allowed as parents. If neither this type nor a supertype sets it, any type is allowed.'),
  cycles: z.boolean().optional().describe('Whether cycles of parents through resources of this type are allowed. Default: false.'),
  commands: commands
    .optional()
    .describe('The commands of its resources, by name. Each is inherited unless a command of the same name overrides it.'),
  templates: z
    .array(template)
    .max(64)
    .optional()
    .describe('Files generated in the directory of each resource. Only for types that come from a module.'),
  module: z
    .object({ name: codeName, version: moduleVersion, digest, publisher: signingKeyText })
    .optional()
    .describe('The module that the type comes from. Only that module can change it.'),
  instance: z
    .string()
    .max(40)
    .optional()
    .describe('The service instance whose copy of a module the type comes from. Only that instance can change it.'),
  links: z.record(linkName, linkRule).optional().describe('The links that a component of this type can have in an assembly, by name.'),
});
export type TypeSpec = z.infer<typeof typeSpec>;

/**
 * True if a change of a Type makes its resources instances of another type as well, or no longer so: grants by type then reach other
 * resources. Such a change requires MANAGE on all types.
 */
export function changesSupertype(before: ApiObject, after: ApiObject): boolean {
  const extended = (object: ApiObject) => typeSpec.safeParse(object['spec'] ?? {}).data?.extends?.toLowerCase();
  return after.kind === 'Type' && extended(before) !== extended(after);
}

/** What a resource of this type is: its properties, and what may be related to it. */
export const typeKind: Kind = {
  group: DTKD_GROUP,
  version: 'v1',
  kind: 'Type',
  plural: 'types',
  singular: 'type',
  shortNames: ['ty'],
  scope: 'Namespaced',
  shared: false,
  verbs: ALL_VERBS,
  description: 'A type of resources: their properties, the children and parents they may have, and the type it extends.',
  schema: z.object({ spec: typeSpec.optional().describe('The definition of the type.') }),
  serverFields: [],
  selectableFields: ['spec.extends'],
  indexed: ['spec.extends'],
  aliases: { extends: 'spec.extends' },
  caseless: ['spec.extends'],
  columns: [
    {
      name: 'Type',
      type: 'string',
      description: 'display name of the type',
      value: (object) => typeSpec.safeParse(object['spec'] ?? {}).data?.name ?? object.metadata.name,
      priority: 0,
    },
    { name: 'Extends', type: 'string', description: 'type that it extends', path: 'spec.extends', priority: 0 },
    { name: 'Abstract', type: 'boolean', description: 'true if no resource can be of this type', path: 'spec.abstract', priority: 1 },
    { name: 'Description', type: 'string', description: 'description of the type', path: 'spec.description', priority: 0 },
  ],
};
