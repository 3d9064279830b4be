import { z } from 'zod';
import { MAX_TYPE_NAME, propertyName } from '../definitions/type-rules.ts';
import { objectName } from '../objects/objects.ts';
import { ALL_VERBS, type Kind } from './kind.ts';
import { DTKD_GROUP } from './model.ts';

/** Maximum number of parents of one resource: resources and nodes. */
export const MAX_PARENTS = 256;

/** A parent: the name of a resource of the same node, or `node/NAME` for a Node, on which the resource is thereby deployed. */
const parentRef = z
  .string()
  .max(320)
  .regex(/^(node\/)?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, 'must be the name of a resource, or node/NAME');

export const resourceSpec = z.object({
  model: objectName.describe('The name of the Model that the resource belongs to.'),
  type: z.string().min(1).max(MAX_TYPE_NAME).describe('The type of the resource.'),
  name: z.string().min(1).max(253).optional().describe('The name, unique within the model and type. Default: the name of the object.'),
  description: z.string().max(4096).optional().describe('A description of the resource.'),
  properties: z.record(propertyName, z.unknown()).optional().describe('Values of the properties of its type.'),
  parents: z
    .array(parentRef)
    .max(MAX_PARENTS)
    .optional()
    .describe('The resources and nodes that this resource is a child of. A child of node/NAME is deployed on that node.'),
});
export type ResourceSpec = z.infer<typeof resourceSpec>;

/** One element of a model, such as a service, a package, a setting or a site, with its properties and its parents. */
export const resourceKind: Kind = {
  group: DTKD_GROUP,
  version: 'v1',
  kind: 'Resource',
  plural: 'resources',
  singular: 'resource',
  shortNames: ['res'],
  scope: 'Namespaced',
  shared: false,
  verbs: ALL_VERBS,
  description: 'An item of a model, such as a service, a package, a setting or a site. A child of a node is deployed on that node.',
  schema: z.object({ spec: resourceSpec.describe('The definition of the resource.') }),
  serverFields: [],
  selectableFields: ['spec.model', 'spec.type', 'spec.name', 'spec.parents'],
  indexed: ['spec.model', 'spec.type', 'spec.name', 'spec.parents', 'spec.properties.*'],
  aliases: { type: 'spec.type', model: 'spec.model', name: 'spec.name', parent: 'spec.parents', properties: 'spec.properties' },
  caseless: ['spec.type'],
  defaults: { 'spec.name': 'metadata.name' },
  columns: [
    { name: 'Model', type: 'string', description: 'model that it belongs to', path: 'spec.model', priority: 0 },
    { name: 'Type', type: 'string', description: 'type of the resource', path: 'spec.type', priority: 0 },
    {
      name: 'Parents',
      type: 'string',
      description: 'resources and nodes that it is a child of',
      value: (object) => resourceSpec.shape.parents.safeParse(Reflect.get(Object(object['spec']), 'parents')).data?.join(','),
      priority: 1,
    },
    { name: 'Description', type: 'string', description: 'description of the resource', path: 'spec.description', priority: 1 },
  ],
};
