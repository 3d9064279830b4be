import { z } from 'zod';
import { codeName, digest, moduleVersion, signingKeyText } from '../definitions/code.ts';
import { commands, template } from '../definitions/commands.ts';
import { linkName, linkRule, MAX_TYPE_NAME, propertyName, propertyRule, relationRule, scopedTypeName } from '../definitions/type-rules.ts';
import type { ApiObject } from '../objects/objects.ts';
import { ALL_VERBS, type Kind } from './kind.ts';
import { DTKD_GROUP } from './paths.ts';

export const typeSpec = z.object({
  name: scopedTypeName.optional().describe('The name as people write it. Default: the name of the object.'),
  extends: z.string().max(MAX_TYPE_NAME).optional().describe('The type whose properties, rules and commands it inherits.'),
  abstract: z.boolean().optional().describe('No resource can be of this type itself.'),
  description: z.string().max(4096).optional().describe('What resources of it are, for people.'),
  properties: z.record(propertyName, propertyRule).optional().describe('Properties that its resources have.'),
  open: z
    .boolean()
    .optional()
    .describe('Resources may have properties that are not declared. Inherited unless set; the built-in types are open.'),
  children: z.array(relationRule).max(64).optional().describe('What may be a child. Absent (also in all supertypes): anything.'),
  parents: z.array(relationRule).max(64).optional().describe('What may be a parent. Absent (also in all supertypes): anything.'),
  cycles: z.boolean().optional().describe('A resource may be its own ancestor through resources of this type. Default: no.'),
  commands: commands.optional().describe('What its resources can do. Inherited one by one; a command of the same name overrides.'),
  templates: z
    .array(template)
    .max(64)
    .optional()
    .describe('Files that are made in the directory of each resource. Only of a type that comes from a module.'),
  module: z
    .object({ name: codeName, version: moduleVersion, digest, publisher: signingKeyText })
    .optional()
    .describe('The module that it comes from, which alone changes it.'),
  instance: z.string().max(40).optional().describe('The service instance whose copy of a module it comes from, which alone changes it.'),
  links: z.record(linkName, linkRule).optional().describe('What components of it can be linked to in assemblies.'),
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
  description: 'What a resource is: its properties, what may be its children and parents, and which type it extends.',
  schema: z.object({ spec: typeSpec.optional().describe('What the type is.') }),
  serverFields: [],
  selectableFields: ['spec.extends'],
  indexed: ['spec.extends'],
  aliases: { extends: 'spec.extends' },
  caseless: ['spec.extends'],
  columns: [
    {
      name: 'Type',
      type: 'string',
      description: 'name as people write it',
      value: (object) => typeSpec.safeParse(object['spec'] ?? {}).data?.name ?? object.metadata.name,
      priority: 0,
    },
    { name: 'Extends', type: 'string', description: 'its supertype', path: 'spec.extends', priority: 0 },
    { name: 'Abstract', type: 'boolean', description: 'true if no resource can be of it', path: 'spec.abstract', priority: 1 },
    { name: 'Description', type: 'string', description: 'what it is for', path: 'spec.description', priority: 0 },
  ],
};
