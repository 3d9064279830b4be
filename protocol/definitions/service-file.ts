/**
 * The files of a service instance's repository: `dtk.service.yaml`, the desired state (an editable copy of the assembly that it was
 * staged from, with the values of its parameters); `dtk.lock.yaml`, the modules that were copied; and the copies in `modules/NS/NAME/…`.
 */
import { z } from 'zod';
import { assemblyBody, partName } from './assembly.ts';
import { digest, moduleName, moduleVersion, signingKeyText } from './code.ts';
import { propertyName } from './type-rules.ts';

export const SERVICE_FILE = 'dtk.service.yaml';
export const LOCK_FILE = 'dtk.lock.yaml';
/** Contains `NS/NAME/…`. */
export const COPIES_DIRECTORY = 'modules';
export const MAX_SERVICE_FILE_BYTES = 1024 * 1024;
export const MAX_LOCK_BYTES = 256 * 1024;

/** Name of a service instance and of its model, and the part after the `@` in names of its types and code. */
export const instanceName = partName;

const { target, parameters, ...body } = assemblyBody;

export const serviceFile = z.strictObject({
  dsl_version: z.literal('1.0'),
  name: instanceName,
  module: moduleName.describe('The module of the assembly that the service was staged from.'),
  version: moduleVersion,
  assembly: partName,
  ...body,
  'target-kind': target.describe('The kind of target that the service must be staged against.'),
  target: instanceName.optional().describe('The service that it is staged against.'),
  'parameter-rules': parameters.describe('The rules of the parameters of the assembly, by name.'),
  parameters: z.record(propertyName, z.unknown()).optional().describe('The values of the parameters, by name.'),
});
export type ServiceFile = z.infer<typeof serviceFile>;

const lockedModule = z.strictObject({ version: moduleVersion, digest, publisher: signingKeyText });
export type LockedModule = z.infer<typeof lockedModule>;

/** `dtk.lock.yaml`, in a module's directory or an instance: all modules that are used, by name. */
export const lockFile = z.strictObject({ dsl_version: z.literal('1.0'), modules: z.record(moduleName, lockedModule) });
export type LockFile = z.infer<typeof lockFile>;
