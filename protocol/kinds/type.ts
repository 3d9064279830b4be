import { z } from 'zod';
import { codeName, digest, moduleVersion, signingKeyText } from '../code.ts';
import { commands, template } from '../commands.ts';
import type { ApiObject } from '../objects.ts';
import { ALL_VERBS, type Kind } from './kind.ts';
import { DTKD_GROUP, PROPERTY_TYPES, type PropertyType } from './paths.ts';

/** A type's name as people write it, `Service` or `tomcat-server`; types are told apart without regard to case. */
export const typeName = z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,62}$/, 'must be a type name: a letter, then letters, digits, - and _');

/** The service instance whose own copy of a type this is stands behind the name: `WebServer@shop`. Such types come with a converge and go with the instance. */
export const scopedTypeName = z
  .string()
  .regex(
    /^[A-Za-z][A-Za-z0-9_-]{0,62}(@[a-z]([a-z0-9-]{0,38}[a-z0-9])?)?$/,
    'must be a type name: a letter, then letters, digits, - and _',
  );

/** Characters of a type's name, with the instance that it may be of. */
export const MAX_TYPE_NAME = 104;

/** Name of a property: it stands in queries, files and the environment of commands. */
export const propertyName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,62}$/, 'must be a property name');

export { PROPERTY_TYPES, type PropertyType };

const scalar = z.union([z.string().max(16_384), z.number(), z.boolean()]);

export const propertyRule = z.object({
  type: z
    .enum(PROPERTY_TYPES)
    .optional()
    .describe('Default: string. port is an integer of 1 to 65535; secret is the name of a Secret of the node.'),
  description: z.string().max(4096).optional().describe('What it is for.'),
  default: z.unknown().optional().describe('The value where a resource has none.'),
  required: z.boolean().optional().describe('A resource without a value (and no default) is refused.'),
  allowed: z.array(scalar).min(1).max(256).optional().describe('The only values that it may have.'),
  pattern: z.string().max(256).optional().describe('A regular expression that the whole text has to match.'),
  dynamic: z.boolean().optional().describe('Computed by the system when commands run; not written by people.'),
  exported: z.boolean().optional().describe('Readable at the parents of the resource.'),
});
export type PropertyRule = z.infer<typeof propertyRule>;

export const relationRule = z.object({
  type: z.string().max(MAX_TYPE_NAME).describe('The type that may stand there, with those that extend it; Node for a node.'),
  min: z.number().int().nonnegative().max(1_000_000).optional().describe('At least so many: else the resource has a condition.'),
  max: z.number().int().nonnegative().max(1_000_000).optional().describe('At most so many.'),
  singleton: z.boolean().optional().describe('At most one of each concrete type.'),
});
export type RelationRule = z.infer<typeof relationRule>;

export const linkName = z
  .string()
  .regex(/^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/, 'must be a name: a lower-case letter, then letters, digits and -');

/** Of the one that has the link: a property (left), and where its value comes from or goes to at the other end (right). */
export const linkMapping = z.record(propertyName, z.string().min(1).max(128));

/** What a component of a type can be linked to, in an assembly. */
export const linkRule = z.object({
  description: z.string().max(4096).optional().describe('What it is for.'),
  type: z.string().max(MAX_TYPE_NAME).optional().describe('The type that the other end has to be of, or to extend.'),
  required: z.boolean().optional().describe('A component without such a link is a violation.'),
  take: linkMapping
    .optional()
    .describe(
      'Own properties (left) that get the values of properties of the other end (right), or its node.name, node.address, resource.name.',
    ),
  give: linkMapping.optional().describe('Properties of the other end (left) that get the values of own ones (right).'),
});
export type LinkRule = z.infer<typeof linkRule>;

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
 * True if a change of a Type makes its resources ones of another type as well, or no more: grants that go by type then reach others. Whoever
 * makes it has to hold MANAGE on all types.
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
