import { z } from 'zod';
import { partName } from '../definitions/assembly.ts';
import { digest, moduleName, moduleVersion, signingKeyText, versionRange } from '../definitions/code.ts';
import type { Kind } from './kind.ts';
import { DTKD_GROUP } from './model.ts';

const schema = z.object({
  spec: z
    .object({
      module: moduleName,
      version: moduleVersion,
      description: z.string().max(4_096).optional().describe('A description of the module.'),
      license: z.string().max(128).optional().describe('The license of the module.'),
      digest: digest.describe('The SHA-256 of the archive.'),
      size: z.number().int().nonnegative().describe('The size of the archive, in bytes.'),
      files: z.number().int().nonnegative().describe('The number of files in the archive.'),
      types: z.array(z.string().max(63)).max(1_024).describe('The types that the module defines.'),
      active: z
        .boolean()
        .default(true)
        .describe('Whether its types are installed on this node. Only one version of a module is active; the others can only be staged.'),
      assemblies: z.array(partName).max(256).optional().describe('The assemblies of the module, which can be staged.'),
      dependencies: z
        .record(moduleName, versionRange)
        .optional()
        .describe('The modules that it depends on, with the versions that it accepts.'),
      publisher: z
        .object({ node: z.string().max(253).describe('The name of the node when the module was installed.'), key: signingKeyText })
        .describe('The node that published the module.'),
      statement: z.string().max(2_048).describe('The statement that the publisher signed, in base64.'),
      signature: z.string().max(128).describe('The signature of the statement, in base64.'),
    })
    .describe('The module and its publisher.'),
});
export const moduleSchema = schema;

/** A version of a module on this node: types with their commands, assemblies, and files. Created by `dtkd module install` and `fetch`. */
export const moduleKind: Kind = {
  group: DTKD_GROUP,
  version: 'v1',
  kind: 'Module',
  plural: 'modules',
  singular: 'module',
  shortNames: ['mod'],
  scope: 'Namespaced',
  shared: false,
  verbs: ['get', 'list', 'watch', 'delete'],
  description:
    'A version of a module on this node: types with their commands, assemblies and files. Content-addressed, signed by its publisher.',
  schema,
  serverFields: ['spec'],
  selectableFields: ['spec.module', 'spec.version', 'spec.digest'],
  indexed: ['spec.module'],
  columns: [
    { name: 'Module', type: 'string', description: 'name of the module', path: 'spec.module', priority: 0 },
    { name: 'Version', type: 'string', description: 'version of the module', path: 'spec.version', priority: 0 },
    { name: 'Digest', type: 'string', description: 'SHA-256 of the archive', path: 'spec.digest', priority: 1 },
    { name: 'Publisher', type: 'string', description: 'node that signed it', path: 'spec.publisher.node', priority: 0 },
    {
      name: 'Types',
      type: 'string',
      description: 'types that it defines',
      value: (object) => schema.safeParse(object).data?.spec.types.join(','),
      priority: 0,
    },
    {
      name: 'Active',
      type: 'boolean',
      description: 'true if its types are installed on this node',
      value: (object) => schema.safeParse(object).data?.spec.active,
      priority: 0,
    },
    {
      name: 'Assemblies',
      type: 'string',
      description: 'assemblies that can be staged',
      value: (object) => schema.safeParse(object).data?.spec.assemblies?.join(','),
      priority: 1,
    },
  ],
};
