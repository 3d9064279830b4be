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
      assembly: partName.describe('The name of the assembly in the module.'),
      description: z.string().max(4_096).optional().describe('A description.'),
      role: z.literal('target').optional().describe('Set to target if services can be staged against its instances.'),
      kind: partName.optional().describe('For a target: the kind of target that it is.'),
      target: partName.optional().describe('The kind of target that the assembly must be staged against.'),
      components: z.array(partName).max(256).describe('The components of the assembly.'),
      parameters: z
        .record(
          z.string().max(63),
          z.object({
            type: z.string().max(16).optional().describe('The type of the value. Default: string.'),
            description: z.string().max(4_096).optional().describe('A description.'),
            required: z.boolean().optional().describe('Whether a converge requires a value. Default: false.'),
            default: z.unknown().optional().describe('The value if none is given.'),
          }),
        )
        .optional()
        .describe('The parameters that can be set when the assembly is staged, by name.'),
    })
    .describe('The definition of the assembly.'),
});

/** What can be staged on this node: an assembly of an installed module. Created and removed with the module. */
export const assemblyKind: Kind = {
  ...ASSEMBLIES,
  kind: 'Assembly',
  singular: 'assembly',
  shortNames: ['asm'],
  shared: false,
  verbs: READ_VERBS,
  description: 'An assembly that can be staged on this node. Created and deleted with the module that defines it.',
  schema,
  serverFields: ['spec'],
  selectableFields: ['spec.module', 'spec.assembly', 'spec.role', 'spec.kind'],
  columns: [
    { name: 'Module', type: 'string', description: 'module that defines it', path: 'spec.module', priority: 0 },
    { name: 'Version', type: 'string', description: 'version of that module', path: 'spec.version', priority: 0 },
    { name: 'Assembly', type: 'string', description: 'name of the assembly in the module', path: 'spec.assembly', priority: 0 },
    { name: 'Role', type: 'string', description: 'target, if others can be staged against it', path: 'spec.role', priority: 0 },
    { name: 'Target', type: 'string', description: 'kind of target that it must be staged against', path: 'spec.target', priority: 0 },
    { name: 'Description', type: 'string', description: 'description of the assembly', path: 'spec.description', priority: 0 },
  ],
};
