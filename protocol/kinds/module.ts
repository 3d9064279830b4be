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
      description: z.string().max(4_096).optional().describe('What it is for.'),
      license: z.string().max(128).optional().describe('Its license.'),
      digest: digest.describe('SHA-256 of its archive.'),
      size: z.number().int().nonnegative().describe('Bytes of its archive.'),
      files: z.number().int().nonnegative().describe('Files in its archive.'),
      types: z.array(z.string().max(63)).max(1_024).describe('Types that it has.'),
      active: z
        .boolean()
        .default(true)
        .describe('Its types are the types of this node. Of one module one version; others are there to be staged.'),
      assemblies: z.array(partName).max(256).optional().describe('What can be staged of it.'),
      dependencies: z.record(moduleName, versionRange).optional().describe('Modules that it needs.'),
      publisher: z
        .object({ node: z.string().max(253).describe('Its name, as it was known.'), key: signingKeyText })
        .describe('The node that published it.'),
      statement: z.string().max(2_048).describe('What the publisher signed, base64.'),
      signature: z.string().max(128).describe('Its signature, base64.'),
    })
    .describe('What it is, and who published it.'),
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
  description: 'Types with their commands, and the files that these run: content-addressed, versioned, signed by its publisher.',
  schema,
  serverFields: ['spec'],
  selectableFields: ['spec.module', 'spec.version', 'spec.digest'],
  indexed: ['spec.module'],
  columns: [
    { name: 'Module', type: 'string', description: 'its name', path: 'spec.module', priority: 0 },
    { name: 'Version', type: 'string', description: 'its version', path: 'spec.version', priority: 0 },
    { name: 'Digest', type: 'string', description: 'SHA-256 of its archive', path: 'spec.digest', priority: 1 },
    { name: 'Publisher', type: 'string', description: 'node that signed it', path: 'spec.publisher.node', priority: 0 },
    {
      name: 'Types',
      type: 'string',
      description: 'types that it has',
      value: (object) => schema.safeParse(object).data?.spec.types.join(','),
      priority: 0,
    },
    {
      name: 'Active',
      type: 'boolean',
      description: 'true if its types are those of the node',
      value: (object) => schema.safeParse(object).data?.spec.active,
      priority: 0,
    },
    {
      name: 'Assemblies',
      type: 'string',
      description: 'what can be staged of it',
      value: (object) => schema.safeParse(object).data?.spec.assemblies?.join(','),
      priority: 1,
    },
  ],
};
