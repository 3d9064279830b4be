/** Requests of the daemon-wide actions on modules. */
import { z } from 'zod';
import { digest, moduleName, moduleVersion, versionRange } from '../definitions/code.ts';
import { lockFile } from '../definitions/service-file.ts';
import { objectName } from '../objects/objects.ts';

/** Maximum number of domains that one request publishes to. */
const MAX_DOMAINS = 64;

/** `POST modules`: installs an archive that was uploaded as content. */
export const installRequest = z.strictObject({
  digest: digest.describe('SHA-256 of the archive, handed over before with PUT …/daemon/content.'),
  replace: z.boolean().optional().describe('Takes the place of another archive of that version.'),
  dryRun: z.boolean().optional().describe('What would change is told, and nothing does.'),
  types: z.boolean().optional().describe('False: it is there to be staged only, and its types are not those of the node.'),
});

/** `POST module-publish`. */
export const publishRequest = z.strictObject({
  module: moduleName,
  version: moduleVersion.optional().describe('Default: the one whose types the node has.'),
  domains: z.array(objectName).min(1).max(MAX_DOMAINS).describe('Domains whose members can fetch it.'),
});

/** `POST module-fetch`. */
export const fetchRequest = z.strictObject({
  module: moduleName,
  range: versionRange.optional().describe('Which versions will do. Default: the newest.'),
  from: z.string().max(253).optional().describe('Node whose release is meant.'),
});

/** `POST module-lock`. */
export const lockRequest = z.strictObject({
  module: moduleName,
  version: moduleVersion,
  dependencies: z.record(moduleName, versionRange).describe('Modules that it needs.'),
  types: z.array(z.string().max(63)).max(1_024).describe('Types that it has.'),
  lock: lockFile.optional().describe('The lock that there is.'),
  fetch: z.boolean().optional().describe('False: nothing is fetched.'),
});
