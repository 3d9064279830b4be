import { z } from 'zod';
import { ALL_VERBS, type Kind } from './kind.ts';
import { DTKD_GROUP } from './model.ts';

export const MAX_SECRET_BYTES = 64 * 1024;

const schema = z.object({
  spec: z
    .object({
      value: z.string().max(MAX_SECRET_BYTES).optional().describe('The value. Write-only: it is encrypted at once and never shown.'),
      description: z.string().max(1_024).optional().describe('A description of the secret.'),
    })
    .optional()
    .describe('The definition of the secret.'),
  status: z
    .object({
      bytes: z.number().int().nonnegative().describe('The length of the value, in bytes.'),
      changedAt: z.string().max(40).describe('When the value was last set, in RFC 3339.'),
      version: z.string().max(64).describe('An ID of the value. It changes with each new value.'),
    })
    .optional()
    .describe('Facts about the stored value. The value itself is never shown.'),
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
  description: 'A value that commands get as a file or an environment variable. Encrypted at rest, never shown, never replicated.',
  schema,
  serverFields: ['status'],
  selectableFields: [],
  columns: [
    { name: 'Bytes', type: 'integer', description: 'length of the value, in bytes', path: 'status.bytes', priority: 0 },
    { name: 'Changed', type: 'date', description: 'when the value was last set', path: 'status.changedAt', priority: 0 },
  ],
};
