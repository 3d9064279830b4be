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
    .describe(
      'The type of the value. A port is an integer from 1 to 65535; a secret is the name of a Secret of the node. Default: string.',
    ),
  description: z.string().max(4096).optional().describe('A description of the property.'),
  default: z.unknown().optional().describe('The value for resources that have none.'),
  required: z.boolean().optional().describe('Whether a resource must have a value, unless there is a default. Default: false.'),
  allowed: z.array(scalar).min(1).max(256).optional().describe('The only values that the property may have.'),
  pattern: z.string().max(256).optional().describe('A regular expression that the whole value must match.'),
  dynamic: z.boolean().optional().describe('Whether the system computes the value when commands run. Users cannot set it. Default: false.'),
  exported: z.boolean().optional().describe('Whether the parents of the resource can read the value. Default: false.'),
});
export type PropertyRule = z.infer<typeof propertyRule>;

export const relationRule = z.object({
  type: z.string().max(MAX_TYPE_NAME).describe('The type that is allowed, and with it all types that extend it. Node stands for a node.'),
  min: z
    .number()
    .int()
    .nonnegative()
    .max(1_000_000)
    .optional()
    .describe('The minimum number of these. A resource with fewer is accepted but gets a condition.'),
  max: z.number().int().nonnegative().max(1_000_000).optional().describe('The maximum number of these. 0 forbids them.'),
  singleton: z.boolean().optional().describe('Whether at most one of each concrete type is allowed. Default: false.'),
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
  description: z.string().max(4096).optional().describe('A description of the property.'),
  type: z.string().max(MAX_TYPE_NAME).optional().describe('The type that the other end must be of or extend.'),
  required: z.boolean().optional().describe('Whether a component must have this link. Default: false.'),
  take: linkMapping
    .optional()
    .describe('Own properties (keys), set from properties of the other end (values) or its node.name, node.address or resource.name.'),
  give: linkMapping.optional().describe('Properties of the other end (keys), set from own properties (values).'),
});
export type LinkRule = z.infer<typeof linkRule>;
