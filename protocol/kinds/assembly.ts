import { z } from 'zod';
import { partName } from '../definitions/assembly.ts';
import { moduleName, moduleVersion } from '../definitions/code.ts';
import { type Kind, READ_VERBS } from './kind.ts';
import { ASSEMBLIES } from './paths.ts';

const schema = z.object({
  spec: z
    .object({
      module: moduleName,
      version: moduleVersion,
      assembly: partName.describe('Its name in the module.'),
      description: z.string().max(4_096).optional().describe('What it is for.'),
      role: z.literal('target').optional().describe('target: others are staged against it.'),
      kind: partName.optional().describe('Of a target: what it is, for those that need one of this kind.'),
      target: partName.optional().describe('The kind of target that it needs.'),
      components: z.array(partName).max(256).describe('What it consists of.'),
      parameters: z
        .record(
          z.string().max(63),
          z.object({
            type: z.string().max(16).optional().describe('Type of its value. Default: string.'),
            description: z.string().max(4_096).optional().describe('What it is for.'),
            required: z.boolean().optional().describe('It cannot be converged without a value.'),
            default: z.unknown().optional().describe('The value where none is given.'),
          }),
        )
        .optional()
        .describe('Values that whoever stages it gives.'),
    })
    .describe('What can be staged.'),
});

/** What can be staged on this node: an assembly of an installed module. Created and removed with the module. */
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
