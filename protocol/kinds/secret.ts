import { z } from 'zod';
import { ALL_VERBS, type Kind } from './kind.ts';
import { DTKD_GROUP } from './model.ts';

export const MAX_SECRET_BYTES = 64 * 1024;

const schema = z.object({
  spec: z
    .object({
      value: z.string().max(MAX_SECRET_BYTES).optional().describe('Written only: it is sealed at once and never shown.'),
      description: z.string().max(1_024).optional().describe('What it is for, for people.'),
    })
    .optional()
    .describe('What the secret is.'),
  status: z
    .object({
      bytes: z.number().int().nonnegative().describe('Length of the value.'),
      changedAt: z.string().max(40).describe('When it was set.'),
      version: z.string().max(64).describe('Another one for each new value.'),
    })
    .optional()
    .describe('What there is, not what it says.'),
});
export const secretSchema = schema;

/** A value that commands of this node get as a file or a variable. Encrypted at rest, never shown, never replicated. */
export const secretKind: Kind = {
  group: DTKD_GROUP,
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  singular: 'secret',
  shortNames: ['sec'],
  scope: 'Namespaced',
  shared: false,
  verbs: ALL_VERBS,
  description: 'A value that commands get as a file or a variable: encrypted at rest, never shown, never replicated.',
  schema,
  serverFields: ['status'],
  selectableFields: [],
  columns: [
    { name: 'Bytes', type: 'integer', description: 'length of the value', path: 'status.bytes', priority: 0 },
    { name: 'Changed', type: 'date', description: 'when it was set', path: 'status.changedAt', priority: 0 },
  ],
};
