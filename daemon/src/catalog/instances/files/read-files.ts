/** Reads all files of an instance in one tree and checks them on their own: each can be read, and copies, lock and dependencies match. */
import type { ZodType } from 'zod';
import { moduleName } from '../../../../../protocol/definitions/code.ts';
import {
  LOCK_FILE,
  type LockFile,
  lockFile,
  MAX_LOCK_BYTES,
  MAX_SERVICE_FILE_BYTES,
  SERVICE_FILE,
  type ServiceFile,
  serviceFile,
} from '../../../../../protocol/definitions/service-file.ts';
import { isInRange } from '../../../../../protocol/modules/resolve.ts';
import type { ModuleCopy, Violation } from '../instances.types.ts';
import type { Tree } from '../repository/repository.types.ts';
import { type CopyReader, copiesIn, copyPath } from './copies.ts';
import type { ReadFiles } from './files.types.ts';
import { readYamlFile, type YamlFile } from './yaml-file.ts';

/** Modules of one instance. */
const MAX_COPIES = 128;
/** Parsed files that are cached. */
const KEPT_FILES = 64;
/** Violations in one answer. */
const MAX_VIOLATIONS = 500;

const service = { name: SERVICE_FILE, schema: serviceFile, maxBytes: MAX_SERVICE_FILE_BYTES };
const lock = { name: LOCK_FILE, schema: lockFile, maxBytes: MAX_LOCK_BYTES };

export class FileReader {
  readonly #copies: CopyReader;
  readonly #services = new Map<string, Promise<YamlFile<ServiceFile>>>();
  readonly #locks = new Map<string, Promise<YamlFile<LockFile>>>();

  constructor(copies: CopyReader) {
    this.#copies = copies;
  }

  /** Errors: CONFLICT if files are edited while they are read. */
  async read(instance: string, tree: Tree): Promise<ReadFiles> {
    const [serviceRead, lockRead] = await Promise.all([parsed(tree, service, this.#services), parsed(tree, lock, this.#locks)]);
    const violations: Violation[] = [...tree.faults, ...serviceRead.violations, ...lockRead.violations];
    const { copies, there } = await this.#readCopies(tree, violations);
    if (serviceRead.value !== undefined && serviceRead.value.name !== instance) {
      violations.push({
        kind: 'PARSING_ERROR',
        where: serviceRead.place(['name']),
        message: `name: this is the service ${instance}, and cannot be renamed`,
        next: `Write "name: ${instance}", or stage another service.`,
      });
    }
    if (lockRead.value !== undefined) violations.push(...missingModules(lockRead.value, there, copies, serviceRead));
    return {
      files:
        serviceRead.value === undefined || lockRead.value === undefined
          ? undefined
          : { service: serviceRead.value, lock: lockRead.value, copies, place: serviceRead.place },
      violations: violations.slice(0, MAX_VIOLATIONS),
      tree,
    };
  }

  async #readCopies(tree: Tree, violations: Violation[]): Promise<{ copies: Map<string, ModuleCopy>; there: ReadonlySet<string> }> {
    const found = copiesIn(tree);
    const copies = new Map<string, ModuleCopy>();
    const there = new Set<string>();
    if (found.size > MAX_COPIES) {
      violations.push({
        kind: 'TOO_MANY',
        where: 'modules',
        message: `there are ${found.size} modules; a service has at most ${MAX_COPIES}`,
      });
      return { copies, there };
    }
    for (const files of found.values()) {
      there.add(files.name);
      if (!moduleName.safeParse(files.name).success) {
        violations.push({ kind: 'PARSING_ERROR', where: copyPath(files.name), message: 'is not a place for a module' });
        continue;
      }
      const read = await this.#copies.read(tree, files);
      if ('copy' in read) copies.set(files.name, read.copy);
      else violations.push(...read.violations);
    }
    return { copies, there };
  }
}

/** Parses a file, or returns the cached result for the same content. */
async function parsed<T>(
  tree: Tree,
  what: { name: string; schema: ZodType<T>; maxBytes: number },
  kept: Map<string, Promise<YamlFile<T>>>,
): Promise<YamlFile<T>> {
  const oid = tree.files.get(what.name)?.oid;
  if (oid === undefined) {
    const message = 'is not there';
    const next = `Restore it with "git checkout -- ${what.name}" in the directory of the service.`;
    return { value: undefined, violations: [{ kind: 'PARSING_ERROR', where: what.name, message, next }], place: () => what.name };
  }
  const known = kept.get(oid) ?? tree.read(what.name).then((data) => readYamlFile(data, what));
  kept.delete(oid);
  kept.set(oid, known);
  for (const oldest of kept.keys()) if (kept.size > KEPT_FILES) kept.delete(oldest);
  return known.catch((error: unknown) => {
    kept.delete(oid);
    throw error;
  });
}

function missingModules(
  { modules }: LockFile,
  there: ReadonlySet<string>,
  copies: ReadonlyMap<string, ModuleCopy>,
  { value, place }: YamlFile<ServiceFile>,
): Violation[] {
  const violations: Violation[] = [];
  const missing = (where: string, message: string, next?: string) =>
    violations.push({ kind: 'MISSING_MODULE', where, message, ...(next === undefined ? {} : { next }) });
  for (const name of Object.keys(modules)) {
    if (!there.has(name))
      missing(`${LOCK_FILE} ${name}`, `there is no ${copyPath(name)}`, `Restore it with "git checkout -- ${copyPath(name)}".`);
  }
  for (const name of there) {
    if (!Object.hasOwn(modules, name)) missing(copyPath(name), `${LOCK_FILE} does not name it`, 'Add it with "dtkd service pull-module".');
  }
  if (value !== undefined && !there.has(value.module)) {
    missing(place(['module']), `there is no ${copyPath(value.module)}, the module that it was staged from`);
  }
  for (const { name, manifest } of copies.values()) {
    for (const [needed, range] of Object.entries(manifest.dependencies ?? {})) {
      const version = copies.get(needed)?.version;
      const where = copyPath(name);
      const next = `dtkd service pull-module ${value?.name ?? 'SERVICE'} ${needed}`;
      if (!there.has(needed)) missing(where, `needs the module ${needed}, which is not included`, next);
      else if (version !== undefined && !isInRange(version, range))
        missing(where, `needs ${needed} ${range}, and ${version} is included`, next);
    }
  }
  return violations;
}
