/**
 * Creates an instance's repository from an assembly, with the instance's own copies of all modules that it uses. Guarantees that
 * the result can be read back, and that it is complete or absent. Writes no objects, and does not know what runs.
 */

import type { Assembly } from '../../../../../protocol/definitions/assembly.ts';
import { MANIFEST_FILE } from '../../../../../protocol/definitions/module.ts';
import {
  instanceName,
  LOCK_FILE,
  lockFile,
  MAX_LOCK_BYTES,
  MAX_SERVICE_FILE_BYTES,
  SERVICE_FILE,
  serviceFile,
} from '../../../../../protocol/definitions/service-file.ts';
import { DtkdError } from '../../../../../protocol/errors.ts';
import { nearMiss } from '../../../../../protocol/text/near-miss.ts';
import type { LoadedModule, ModuleResolving, ResolvedModules } from '../../modules/ports.ts';
import { copyPath } from '../files/copies.ts';
import { readYamlFile } from '../files/yaml-file.ts';
import type { NewFile, Repositories } from '../repository/repository.types.ts';
import { parameterFaults, unsetParameters } from './parameters.ts';
import { lockText, serviceText } from './service-text.ts';
import type { Staged, StageOrder, Staging } from './staging.types.ts';

/** Numbers tried when looking for a free name. */
const MAX_NUMBER = 9_999;
const MAX_NAME = 40;

export interface StagingOptions {
  repositories: Repositories;
  modules: ModuleResolving;
}

export function createStaging({ repositories, modules }: StagingOptions): Staging {
  return { stage: (order) => stage(repositories, modules, order) };
}

async function stage(repositories: Repositories, modules: ModuleResolving, order: StageOrder): Promise<Staged> {
  const isTaken = await takenNames(repositories, order);
  if (order.name !== undefined && (await isTaken(order.name))) throw taken(order.name);
  const resolved = await modules.resolve({ name: order.module, version: order.version }, undefined, {
    principal: order.principal,
    signal: order.signal,
  });
  const { manifest } = resolved.root;
  const assembly = assemblyOf(order, manifest.assemblies, manifest.version);
  const parameters = order.parameters ?? {};
  const faults = await parameterFaults(assembly.parameters, parameters);
  if (faults.length > 0) throw wrongParameters(faults);
  const name = order.name ?? (await freeName(order.assembly, isTaken));
  const files = await filesOf(name, order, assembly, resolved);
  const from = `${manifest.module}:${order.assembly} ${manifest.version}`;
  const made =
    order.dryRun === true
      ? { commit: undefined, directory: repositories.directory(name) }
      : await repositories.create(name, files.files, { message: `Stage ${from} as ${name}`, author: order.author });
  return { name, ...made, service: files.service, lock: resolved.lock, unset: unsetParameters(assembly.parameters, parameters) };
}

async function filesOf(name: string, order: StageOrder, assembly: Assembly, { root, modules, lock }: ResolvedModules) {
  const { manifest } = root;
  const text = await serviceText({
    name,
    module: manifest.module,
    version: manifest.version,
    assemblyName: order.assembly,
    assembly,
    target: order.target,
    parameters: order.parameters ?? {},
    manifest: manifestText(root),
  });
  const written = { service: Buffer.from(text), lock: Buffer.from(await lockText(lock)) };
  // do not write what cannot be read back
  const service = await readYamlFile(written.service, { name: SERVICE_FILE, schema: serviceFile, maxBytes: MAX_SERVICE_FILE_BYTES });
  const read = await readYamlFile(written.lock, { name: LOCK_FILE, schema: lockFile, maxBytes: MAX_LOCK_BYTES });
  const [fault] = [...service.violations, ...read.violations];
  if (service.value === undefined || fault !== undefined) {
    throw new DtkdError('INVALID', `the assembly ${order.assembly} cannot be staged: ${fault?.where} ${fault?.message}`, {
      next: 'Correct the assembly in its module, and install the module again.',
    });
  }
  const files: NewFile[] = [
    { path: SERVICE_FILE, data: written.service },
    { path: LOCK_FILE, data: written.lock },
  ];
  for (const [module, { archive }] of modules) {
    for (const { path, executable, data } of archive.files) files.push({ path: copyPath(module, path), executable, data });
  }
  return { files, service: service.value };
}

function manifestText({ archive }: LoadedModule): string {
  const file = archive.files.find(({ path }) => path === MANIFEST_FILE);
  return Buffer.from(file?.data ?? new Uint8Array()).toString('utf8');
}

function assemblyOf({ module, assembly: name }: StageOrder, assemblies: Record<string, Assembly> = {}, version: string): Assembly {
  const found = Object.hasOwn(assemblies, name) ? assemblies[name] : undefined;
  if (found !== undefined) return found;
  const names = Object.keys(assemblies);
  const near = nearMiss(name, names);
  throw new DtkdError('NOT_FOUND', `the module ${module} ${version} has no assembly ${name}`, {
    next:
      near !== undefined
        ? `Did you mean ${module}:${near}?`
        : names.length > 0
          ? `It has: ${names.slice(0, 20).join(', ')}.`
          : 'It has none; "dtkd get assemblies" lists what can be staged.',
  });
}

async function takenNames(repositories: Repositories, { taken: others }: StageOrder): Promise<(name: string) => Promise<boolean>> {
  const there = new Set(await repositories.names());
  return async (name) => there.has(name) || ((await others?.(name)) ?? false);
}

/** The first free name: `web-tier`, `web-tier-2` and so on. */
async function freeName(assembly: string, isTaken: (name: string) => Promise<boolean>): Promise<string> {
  for (let number = 1; number <= MAX_NUMBER; number++) {
    const end = number === 1 ? '' : `-${number}`;
    const name = `${assembly.slice(0, MAX_NAME - end.length).replace(/-+$/, '')}${end}`;
    if (instanceName.safeParse(name).success && !(await isTaken(name))) return name;
  }
  throw new DtkdError('CONFLICT', `all names that a service of ${assembly} could get are taken`, { next: 'Choose a name with --name.' });
}

function taken(name: string): DtkdError {
  return new DtkdError('ALREADY_EXISTS', `there is a service ${name} on this node`, { next: 'Choose another name with --name.' });
}

function wrongParameters(faults: readonly { field: string; message: string }[]): DtkdError {
  const shown = faults.slice(0, 5).map(({ field, message }) => `${field}: ${message}`);
  return new DtkdError('INVALID', `${shown.join('; ')}${faults.length > shown.length ? '; …' : ''}`, {
    next: 'Set them with --set NAME=VALUE; "dtkd describe assembly" lists the parameters.',
    details: { causes: faults.map((fault) => ({ reason: 'FieldValueInvalid', ...fault })) },
  });
}
