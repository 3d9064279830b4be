/**
 * Edits `dtk.service.yaml` in a work tree. Writes only text that can be read back, and never overwrites an edit that the caller
 * has not seen.
 */
import { MAX_SERVICE_FILE_BYTES, SERVICE_FILE, type ServiceFile, serviceFile } from '../../../../../protocol/definitions/service-file.ts';
import { DtkdError } from '../../../../../protocol/errors.ts';
import { digestOf } from '../../../../../protocol/modules/archive.ts';
import type { ServiceEdit } from '../../../../../protocol/requests/service.ts';
import { serviceDifferences } from '../files/differences.ts';
import type { FileContent } from '../files/files.types.ts';
import { maskedService } from '../files/masking.ts';
import type { FileReader } from '../files/read-files.ts';
import { componentRules, hiddenPaths, KnownTypes, settableTypes } from '../files/rules.ts';
import { readYamlFile } from '../files/yaml-file.ts';
import type { Difference, ServiceFiles, Violation } from '../instances.types.ts';
import type { Repository, Tree } from '../repository/repository.types.ts';
import { changesOf } from './edits.ts';
import { assertSecretNames } from './secret-names.ts';
import { editYaml } from './yaml-edit.ts';

export interface Edited {
  base: string;
  differences: Difference[];
}

export class ServiceEditing {
  readonly #reader: FileReader;

  constructor(reader: FileReader) {
    this.#reader = reader;
  }

  async content(repository: Repository, { masked = false }: { masked?: boolean } = {}): Promise<FileContent> {
    const { tree } = await repository.status();
    const data = await serviceData(tree);
    const { files, violations } = await this.#reader.read(repository.name, tree);
    const shown = masked ? await maskedService(data, files === undefined ? undefined : await hiddenPaths(files)) : data;
    // which values are secrets is not known
    if (shown === undefined) throw unreadable(violations);
    return {
      content: Buffer.from(shown).toString('utf8'),
      base: digestOf(data),
      types: files === undefined ? undefined : await settableTypes(files),
    };
  }

  replace(repository: Repository, content: string, base: string): Promise<Edited> {
    return repository.alone(async (alone) => {
      const { tree } = await alone.status();
      const { files } = await this.#reader.read(alone.name, tree);
      return this.#write(alone, files, { text: content, service: await sound(content) }, base);
    });
  }

  edit(repository: Repository, edits: readonly ServiceEdit[], base?: string): Promise<Edited> {
    return repository.alone(async (alone) => {
      const { tree } = await alone.status();
      const data = await serviceData(tree);
      const now = digestOf(data);
      if (base !== undefined && base !== now) throw changedMeanwhile(base, now);
      const { files, violations } = await this.#reader.read(alone.name, tree);
      if (files === undefined) throw unreadable(violations);
      let text = Buffer.from(data).toString('utf8');
      let { service } = files;
      for (const edit of edits) {
        const rules = await componentRules({ service, copies: files.copies });
        const changes = await changesOf(edit, { service, rules, types: new KnownTypes(files.copies.values()) });
        text = await editYaml(text, changes, SERVICE_FILE);
        service = await sound(text);
      }
      return this.#write(alone, files, { text, service }, now);
    });
  }

  async #write(
    repository: Repository,
    before: ServiceFiles | undefined,
    { text, service }: { text: string; service: ServiceFile },
    base: string,
  ): Promise<Edited> {
    if (service.name !== repository.name) {
      throw new DtkdError('INVALID', `this is the service ${repository.name}, and cannot be renamed to ${service.name}`, {
        next: 'To have that name, stage another service.',
      });
    }
    const copies = before?.copies ?? new Map();
    await assertSecretNames({ service, copies });
    const data = new Uint8Array(Buffer.from(text));
    await repository.write([{ path: SERVICE_FILE, data, base }]);
    const differences = before === undefined ? [] : await serviceDifferences(before, { service, copies });
    return { base: digestOf(data), differences };
  }
}

async function serviceData(tree: Tree): Promise<Uint8Array> {
  const data = await tree.read(SERVICE_FILE);
  if (data.length <= MAX_SERVICE_FILE_BYTES) return data;
  throw new DtkdError('TOO_LARGE', `${SERVICE_FILE} is larger than ${MAX_SERVICE_FILE_BYTES / 1024} KiB`, { next: 'Shorten it.' });
}

/** Parses a service file. Errors: INVALID, with all faults. */
async function sound(text: string): Promise<ServiceFile> {
  const { value, violations } = await readYamlFile(new Uint8Array(Buffer.from(text)), {
    name: SERVICE_FILE,
    schema: serviceFile,
    maxBytes: MAX_SERVICE_FILE_BYTES,
  });
  if (value === undefined) throw unreadable(violations, 'Nothing was changed. Correct it and try again.');
  return value;
}

function unreadable(
  violations: readonly Violation[],
  next = 'Correct it with an editor; "dtkd service status" lists all errors.',
): DtkdError {
  const shown = violations.slice(0, 5).map(({ where, message }) => `${where}: ${message}`);
  return new DtkdError('INVALID', `${shown.join('; ')}${violations.length > shown.length ? '; …' : ''}`, { next, details: { violations } });
}

function changedMeanwhile(base: string, now: string): DtkdError {
  return new DtkdError('CONFLICT', `${SERVICE_FILE} was changed by somebody else meanwhile`, {
    next: 'Nothing was written. Look at the file as it is now, and edit that.',
    details: { path: SERVICE_FILE, base, now },
  });
}
