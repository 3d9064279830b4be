import { z } from 'zod';
import { partName } from '../definitions/assembly.ts';
import { digest, moduleName, moduleVersion, signingKeyText, versionRange } from '../definitions/code.ts';
import { type ApiObject, objectName } from '../objects/objects.ts';
import { withStoredAnnotations } from './adopting.ts';
import { type Kind, READ_VERBS } from './kind.ts';
import { DTKD_GROUP } from './model.ts';

/** Bytes of each piece but the last. Members are asked for single pieces, each of which can be verified. */
export const RELEASE_CHUNK_BYTES = 128 * 1024;

const schema = z.object({
  spec: z
    .object({
      module: moduleName,
      version: moduleVersion,
      description: z.string().max(4_096).optional().describe('A description of the module.'),
      license: z.string().max(128).optional().describe('The license of the module.'),
      dependencies: z
        .record(moduleName, versionRange)
        .optional()
        .describe('The modules that it depends on, with the versions that it accepts.'),
      assemblies: z.array(partName).max(256).optional().describe('The assemblies of the module, which can be staged.'),
      digest: digest.describe('The SHA-256 of the archive.'),
      size: z.number().int().nonnegative().describe('The size of the archive, in bytes.'),
      chunks: z.string().max(20_000).describe('The SHA-256 of each chunk of 128 KiB of the archive, concatenated, in base64.'),
      publisher: signingKeyText.describe('The signing key of the node that published the module.'),
      statement: z.string().max(2_048).describe('The statement that the publisher signed, in base64.'),
      signature: z.string().max(128).describe('The signature of the statement, in base64.'),
      domains: z.array(objectName).min(1).max(64).describe('The names of the domains whose members can fetch the module.'),
    })
    .describe('The module that is offered.'),
});
export const releaseSchema = schema;
export type ReleaseFields = z.infer<typeof schema>['spec'];

/** Names only the domain that it is published to. Annotations are in no log. */
function publishedRelease({ metadata, ...object }: ApiObject, domain: string): ApiObject {
  const { annotations: _annotations, namespace: _namespace, ...meta } = metadata;
  const { spec } = schema.parse(object);
  return { apiVersion: object.apiVersion, kind: object.kind, metadata: meta, spec: { ...spec, domains: [domain] } };
}

/** A published release names one domain. The stored one keeps its other domains, and is removed once it names none. */
function adoptedRelease(published: ApiObject | undefined, domain: string, stored: ApiObject | undefined): ApiObject | undefined {
  const others = (schema.safeParse(stored).data?.spec.domains ?? []).filter((name) => name !== domain);
  const base = published ?? (others.length === 0 ? undefined : stored);
  if (base === undefined) return undefined;
  const { spec } = schema.parse(base);
  const domains = published === undefined ? others : [domain, ...others].sort();
  return withStoredAnnotations({ ...base, spec: { ...spec, domains } }, stored);
}

/**
 * A module that its publisher offers to the members of domains, who fetch it from any member that has it. Created by `dtkd module
 * publish`.
 */
export const releaseKind: Kind = {
  group: DTKD_GROUP,
  version: 'v1',
  kind: 'Release',
  plural: 'releases',
  singular: 'release',
  shortNames: ['rel'],
  scope: 'Namespaced',
  shared: true,
  verbs: [...READ_VERBS, 'delete'],
  description: 'A module that its publisher offers to the members of domains. They fetch it from any member that has it.',
  schema,
  serverFields: ['spec'],
  selectableFields: ['spec.module', 'spec.version', 'spec.digest'],
  indexed: ['spec.module'],
  columns: [
    { name: 'Module', type: 'string', description: 'name of the module', path: 'spec.module', priority: 0 },
    { name: 'Version', type: 'string', description: 'version of the module', path: 'spec.version', priority: 0 },
    { name: 'Digest', type: 'string', description: 'SHA-256 of the archive', path: 'spec.digest', priority: 1 },
    { name: 'Bytes', type: 'integer', description: 'size of the archive, in bytes', path: 'spec.size', priority: 1 },
    { name: 'Description', type: 'string', description: 'description of the module', path: 'spec.description', priority: 0 },
  ],
  domainsOf: (object) => schema.safeParse(object).data?.spec.domains ?? [],
  attributed: true,
  published: publishedRelease,
  adopted: adoptedRelease,
};
