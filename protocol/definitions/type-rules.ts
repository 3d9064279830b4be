/**
 * Rules of a type for its properties, relations and links, and the names of these and of types. Types, assemblies and modules are written
 * with them.
 */
import { z } from 'zod';
import { PROPERTY_TYPES } from './property-types.ts';

/** A type's name as people write it, such as `Service` or `tomcat-server`. Case does not distinguish types. */
export const typeName = z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,62}$/, 'must be a type name: a letter, then letters, digits, - and _');

/**
 * A type's name, followed by the service instance whose own copy of the type it is: `WebServer@shop`. A converge makes such types, and
 * they are removed with the instance.
 */
export const scopedTypeName = z
  .string()
  .regex(
    /^[A-Za-z][A-Za-z0-9_-]{0,62}(@[a-z]([a-z0-9-]{0,38}[a-z0-9])?)?$/,
    'must be a type name: a letter, then letters, digits, - and _',
  );

/** Maximum length of a type's name, including the instance that it may belong to. */
export const MAX_TYPE_NAME = 104;

/** Name of a property, as used in queries, files and the environment of commands. */
export const propertyName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,62}$/, 'must be a property name');

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

/**
 * Maps the receiving end's property (left) to its source at the other end (right). In `take` the owner of the link receives, in `give`
 * the other end.
 */
export const linkMapping = z.record(propertyName, z.string().min(1).max(128));

/** Rule for a link that a component of a type can have in an assembly. */
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
