import { z } from 'zod';
import { type Kind, READ_VERBS } from './kind.ts';

/** A node, as a namespace. The daemon keeps one for itself and one for each member that owns replicated objects. */
export const namespaceKind: Kind = {
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  singular: 'namespace',
  shortNames: ['ns'],
  scope: 'Cluster',
  shared: false,
  verbs: READ_VERBS,
  description: 'A node. Objects in this namespace belong to that node; -n NAME asks that node.',
  schema: z.object({
    spec: z.object({}).optional().describe('Empty.'),
    status: z
      .object({ phase: z.enum(['Active', 'Terminating']).describe('Active, or Terminating while the node is being forgotten.') })
      .optional()
      .describe('What becomes of it.'),
  }),
  serverFields: ['spec', 'status'],
  selectableFields: [],
  columns: [
    {
      name: 'Status',
      type: 'string',
      description: 'Active, or Terminating while the node is being forgotten',
      path: 'status.phase',
      priority: 0,
    },
  ],
};
