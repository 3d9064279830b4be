/**
 * A module: types with their commands, and the files that these run. Content-addressed: its digest is the SHA-256 of its archive, the
 * CBOR of `moduleArchive` with the files sorted by path. Signed by its publisher with the signing key of a node
 * (`Node.status.signingKey`).
 */
import { z } from 'zod';
import { assembly, partName } from './assembly.ts';
import { codeName, digest, moduleName, moduleVersion, signingKeyText, versionRange } from './code.ts';
import { commands, template } from './commands.ts';
import { linkName, linkRule, propertyName, propertyRule, relationRule, typeName } from './type-rules.ts';

export const MANIFEST_FILE = 'dtk.module.yaml';
export const MAX_MANIFEST_BYTES = 512 * 1024;
export const MAX_MODULE_BYTES = 32 * 1024 * 1024;
export const MAX_MODULE_FILES = 4_096;

export const modulePath = z
  .string()
  .min(1)
  .max(512)
  .regex(/^(?!\/)(?!.*\/$)(?!.*(^|\/)\.{1,2}(\/|$))(?!.*\/\/)[^\p{Cc}\\]+$/u, 'must be a relative path without . and ..');

const moduleType = z.strictObject({
  extends: z.string().max(63).optional(),
  abstract: z.boolean().optional(),
  description: z.string().max(4_096).optional(),
  properties: z.record(propertyName, propertyRule).optional(),
  open: z.boolean().optional(),
  children: z.array(relationRule).max(64).optional(),
  parents: z.array(relationRule).max(64).optional(),
  cycles: z.boolean().optional(),
  commands: commands.optional(),
  templates: z.array(template).max(64).optional(),
  links: z.record(linkName, linkRule).optional(),
});
export type ModuleType = z.infer<typeof moduleType>;

export const moduleManifest = z.strictObject({
  dsl_version: z.literal('1.0'),
  module: moduleName,
  version: moduleVersion,
  description: z.string().max(4_096).optional(),
  license: z.string().max(128).optional(),
  dependencies: z
    .record(moduleName, versionRange)
    .optional()
    .describe('The modules whose types and commands it uses, with the versions that it accepts.'),
  types: z.record(typeName, moduleType).optional(),
  assemblies: z.record(partName, assembly).optional(),
});
export type ModuleManifest = z.infer<typeof moduleManifest>;

export const moduleArchive = z.object({
  version: z.literal(1),
  files: z
    .array(z.object({ path: modulePath, executable: z.boolean(), data: z.instanceof(Uint8Array) }))
    .min(1)
    .max(MAX_MODULE_FILES),
});
export type ModuleArchive = z.infer<typeof moduleArchive>;

/** What a publisher signs (context `module`), as CBOR: binds a digest to the name and version under which it was published. */
export const moduleStatement = z.object({ name: codeName, version: moduleVersion, digest, publisher: signingKeyText });
export type ModuleStatement = z.infer<typeof moduleStatement>;
/** A statement with its signature, on the wire. */
export const signedModule = z.object({ statement: z.instanceof(Uint8Array), signature: z.instanceof(Uint8Array) });
export type SignedModule = z.infer<typeof signedModule>;
