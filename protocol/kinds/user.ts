import { z } from 'zod';
import type { ApiObject } from '../objects/objects.ts';
import { adoptedWhole } from './adopting.ts';
import { ALL_VERBS, type Kind } from './kind.ts';
import { DTKD_GROUP } from './model.ts';

const schema = z.object({
  spec: z
    .object({
      description: z.string().max(1024).optional().describe('A description of the user.'),
    })
    .optional()
    .describe('The definition of the user.'),
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
  description: 'A user that can be granted rights. Known in all domains of its home node; its token works only on its home node.',
  schema,
  serverFields: [],
  selectableFields: [],
  columns: [
    {
      name: 'User',
      type: 'string',
      description: 'name of the user and of its home node',
      value: (user) => `${user.metadata.name}@${user.metadata.namespace ?? ''}`,
      priority: 0,
    },
    { name: 'Description', type: 'string', description: 'description of the user', path: 'spec.description', priority: 0 },
  ],
  domainsOf: () => ['*'],
  published: publishedUser,
  adopted: adoptedWhole,
};
