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
  description: 'A node. The objects in the namespace belong to that node, and it answers requests with -n NAME.',
  schema: z.object({
    spec: z.object({}).optional().describe('Always empty.'),
    status: z
      .object({
        phase: z
          .enum(['Active', 'Terminating'])
          .describe('The phase of the namespace: Active, or Terminating while the node is being forgotten.'),
      })
      .optional()
      .describe('The current state of the namespace.'),
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
