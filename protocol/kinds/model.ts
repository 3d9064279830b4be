import { z } from 'zod';
import { ALL_VERBS, type Kind } from './kind.ts';
import { DTKD_GROUP } from './paths.ts';

export { DTKD_GROUP };

/** A set of related resources. A node may have many models. */
export const modelKind: Kind = {
  group: DTKD_GROUP,
  version: 'v1',
  kind: 'Model',
  plural: 'models',
  singular: 'model',
  shortNames: ['mdl'],
  scope: 'Namespaced',
  shared: false,
  verbs: ALL_VERBS,
  description: 'A set of resources that belong together: what runs where, for one system or site.',
  schema: z.object({
    spec: z
      .object({
        description: z.string().max(4096).optional().describe('A description of the model.'),
      })
      .optional()
      .describe('The definition of the model.'),
  }),
  serverFields: [],
  selectableFields: [],
  indexed: [],
  columns: [{ name: 'Description', type: 'string', description: 'description of the model', path: 'spec.description', priority: 0 }],
};
