/** Requests of the daemon-wide actions on modules. */
import { z } from 'zod';
import { digest, moduleName, moduleVersion, versionRange } from '../definitions/code.ts';
import { lockFile } from '../definitions/service-file.ts';
import { objectName } from '../objects/objects.ts';

/** Maximum number of domains that one request publishes to. */
const MAX_DOMAINS = 64;

/** `POST modules`: installs an archive that was uploaded as content. */
export const installRequest = z.strictObject({
  digest: digest.describe('The SHA-256 of the archive, which must have been uploaded with PUT …/daemon/content.'),
  replace: z
    .boolean()
    .optional()
    .describe('Whether to replace another archive of the same version, or active types of a newer version. Default: false.'),
  dryRun: z.boolean().optional().describe('Whether to only report what would change. Default: false.'),
  types: z
    .boolean()
    .optional()
    .describe('Whether to install the types of the module on this node. If false, the module can only be staged. Default: true.'),
});

/** `POST module-publish`. */
export const publishRequest = z.strictObject({
  module: moduleName,
  version: moduleVersion.optional().describe('The version to publish. Default: the active version.'),
  domains: z.array(objectName).min(1).max(MAX_DOMAINS).describe('The names of the domains whose members can fetch the module.'),
});

/** `POST module-fetch`. */
export const fetchRequest = z.strictObject({
  module: moduleName,
  range: versionRange.optional().describe('The range of acceptable versions. Default: the newest version.'),
  from: z.string().max(253).optional().describe('The name of the node whose release to fetch.'),
});

/** `POST module-lock`. */
export const lockRequest = z.strictObject({
  module: moduleName,
  version: moduleVersion,
  dependencies: z.record(moduleName, versionRange).describe('The modules that it depends on, with the versions that it accepts.'),
  types: z.array(z.string().max(63)).max(1_024).describe('The types that the module defines.'),
  lock: lockFile.optional().describe('The existing lock file.'),
  fetch: z.boolean().optional().describe('Whether to fetch missing modules. Default: true.'),
});
