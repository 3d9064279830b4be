import { z } from 'zod';
import type { ApiObject } from '../objects/objects.ts';
import { adoptedWhole } from './adopting.ts';
import { ALL_VERBS, type Kind } from './kind.ts';
import { DTKD_GROUP } from './model.ts';

const schema = z.object({
  spec: z
    .object({
      description: z.string().max(1024).optional().describe('Who or what it is, for people.'),
    })
    .optional()
    .describe('What the user is.'),
});

function publishedUser({ apiVersion, kind, metadata, ...fields }: ApiObject): ApiObject {
  const { annotations: _annotations, namespace: _namespace, ...meta } = metadata;
  return { apiVersion, kind, metadata: meta, ...schema.parse(fields) };
}

/** Somebody who can be granted rights. Belongs to a home node, which vouches for the user, and is known in all domains of that node. */
export const userKind: Kind = {
  group: DTKD_GROUP,
  version: 'v1',
  kind: 'User',
  plural: 'users',
  singular: 'user',
  shortNames: ['usr'],
  scope: 'Namespaced',
  shared: true,
  attributed: true,
  verbs: ALL_VERBS,
  description: 'Somebody who may be given rights. Lives on its home node, whose token for it works there only; known in all its domains.',
  schema,
  serverFields: [],
  selectableFields: [],
  columns: [
    {
      name: 'User',
      type: 'string',
      description: 'user and home node',
      value: (user) => `${user.metadata.name}@${user.metadata.namespace ?? ''}`,
      priority: 0,
    },
    { name: 'Description', type: 'string', description: 'who or what it is', path: 'spec.description', priority: 0 },
  ],
  domainsOf: () => ['*'],
  published: publishedUser,
  adopted: adoptedWhole,
};
