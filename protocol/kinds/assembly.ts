import { z } from 'zod';
import { partName } from '../assembly.ts';
import { moduleName, moduleVersion } from '../code.ts';
import { type Kind, READ_VERBS } from './kind.ts';
import { ASSEMBLIES } from './paths.ts';

const schema = z.object({
  spec: z.object({
    module: moduleName,
    version: moduleVersion,
    assembly: partName,
    description: z.string().max(4_096).optional(),
    role: z.literal('target').optional(),
    kind: partName.optional(),
    target: partName.optional().describe('The kind of target that it needs.'),
    components: z.array(partName).max(256),
    parameters: z
      .record(
        z.string().max(63),
        z.object({
          type: z.string().max(16).optional(),
          description: z.string().max(4_096).optional(),
          required: z.boolean().optional(),
          default: z.unknown().optional(),
        }),
      )
      .optional(),
  }),
});
export const assemblySchema = schema;

/** What can be staged on this node: an assembly of a module that it has. Comes and goes with the module. */
export const assemblyKind: Kind = {
  ...ASSEMBLIES,
  kind: 'Assembly',
  singular: 'assembly',
  shortNames: ['asm'],
  shared: false,
  verbs: READ_VERBS,
  description: 'What can be staged on this node: an assembly of a module that it has. Comes and goes with the module.',
  schema,
  serverFields: ['spec'],
  selectableFields: ['spec.module', 'spec.assembly', 'spec.role', 'spec.kind'],
  columns: [
    { name: 'Module', type: 'string', description: 'module that it is of', path: 'spec.module', priority: 0 },
    { name: 'Version', type: 'string', description: 'its version', path: 'spec.version', priority: 0 },
    { name: 'Assembly', type: 'string', description: 'its name there', path: 'spec.assembly', priority: 0 },
    { name: 'Role', type: 'string', description: 'target, if others are staged against it', path: 'spec.role', priority: 0 },
    { name: 'Target', type: 'string', description: 'kind of target that it needs', path: 'spec.target', priority: 0 },
    { name: 'Description', type: 'string', description: 'what it is for', path: 'spec.description', priority: 0 },
  ],
};
