/**
 * Reads and checks module copies in a tree. Results are cached by the copy's files, so a copy with the same files is read once,
 * whether in a work tree or a commit, of this instance or another.
 */
import { createHash } from 'node:crypto';
import {
  MANIFEST_FILE,
  MAX_MODULE_BYTES,
  MAX_MODULE_FILES,
  type ModuleArchive,
  type ModuleManifest,
} from '../../../../../protocol/definitions/module.ts';
import { COPIES_DIRECTORY } from '../../../../../protocol/definitions/service-file.ts';
import { DtkdError } from '../../../../../protocol/errors.ts';
import { digestOf, packArchive, unpackArchive } from '../../../../../protocol/modules/archive.ts';
import { checkModule } from '../../../../../protocol/modules/check.ts';
import { faultsIn } from '../../../../../protocol/modules/manifest.ts';
import type { ModuleCopy, Violation } from '../instances.types.ts';
import type { Tree, TreeFile } from '../repository/repository.types.ts';

/** Bytes of cached copies. Each counts twice, packed and unpacked. */
const KEPT_BYTES = 64 * 1024 * 1024;
/** Bytes that a cached copy counts beside its content, so that many small ones are bounded, too. */
const OVERHEAD_BYTES = 16 * 1024;

/** The files of one copy, with paths within the module. */
export interface CopyFiles {
  name: string;
  files: TreeFile[];
}

type Read = { copy: Omit<ModuleCopy, 'name' | 'version'> } | { violations: readonly Violation[] };

/** The copies in a tree by module name, sorted. */
export function copiesIn(tree: Pick<Tree, 'files'>): Map<string, CopyFiles> {
  const copies = new Map<string, CopyFiles>();
  for (const file of tree.files.values()) {
    const [top, namespace, name, ...rest] = file.path.split('/');
    if (top !== COPIES_DIRECTORY || rest.length === 0) continue;
    const module = `${namespace}/${name}`;
    const copy = copies.get(module) ?? { name: module, files: [] };
    copy.files.push({ ...file, path: rest.join('/') });
    copies.set(module, copy);
  }
  return new Map([...copies].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Path of a copy, or of a file in it. */
export function copyPath(module: string, path?: string): string {
  return path === undefined ? `${COPIES_DIRECTORY}/${module}` : `${COPIES_DIRECTORY}/${module}/${path}`;
}

export class CopyReader {
  readonly #kept = new Map<string, { read: Promise<Read>; bytes: number }>();
  #bytes = 0;

  /** Reads a copy, or reports what is wrong with it. Errors: CONFLICT if it is edited meanwhile. */
  async read(tree: Tree, { name, files }: CopyFiles): Promise<{ copy: ModuleCopy } | { violations: readonly Violation[] }> {
    const key = keyOf(files);
    const known = this.#kept.get(key);
    const reading = known?.read ?? readCopy(tree, name, files);
    if (known === undefined) this.#kept.set(key, { read: reading, bytes: 0 });
    const read = await reading.catch((error: unknown) => {
      this.#kept.delete(key);
      throw error;
    });
    this.#keep(key, reading, 'copy' in read ? 2 * read.copy.bytes.length + OVERHEAD_BYTES : OVERHEAD_BYTES);
    if ('violations' in read)
      return { violations: read.violations.map((one) => ({ ...one, where: copyPath(name, one.where === '' ? undefined : one.where) })) };
    const { manifest } = read.copy;
    if (manifest.module === name) return { copy: { name, version: manifest.version, ...read.copy } };
    const where = copyPath(name, MANIFEST_FILE);
    const message = `says that it is the module ${manifest.module}, but it is in the directory of ${name}`;
    return { violations: [{ kind: 'MODULE_INVALID', where, message, next: 'A copy keeps the name of its module.' }] };
  }

  #keep(key: string, read: Promise<Read>, bytes: number): void {
    const before = this.#kept.get(key);
    this.#kept.delete(key);
    this.#bytes += bytes - (before?.bytes ?? 0);
    this.#kept.set(key, { read, bytes });
    for (const [oldest, one] of this.#kept) {
      if (this.#bytes <= KEPT_BYTES || oldest === key) break;
      this.#kept.delete(oldest);
      this.#bytes -= one.bytes;
    }
  }
}

/** Cache key from paths, contents and executable bits. */
function keyOf(files: readonly TreeFile[]): string {
  const hash = createHash('sha256');
  for (const { path, executable, oid } of files) hash.update(`${oid}${executable ? '+' : ' '}${path}\0`);
  return hash.digest('base64');
}

/** The `where` of violations is a path within the module. */
async function readCopy(tree: Tree, name: string, files: readonly TreeFile[]): Promise<Read> {
  if (files.length > MAX_MODULE_FILES) return invalid(`has more than ${MAX_MODULE_FILES} files`);
  const read: ModuleArchive['files'] = [];
  let size = 0;
  for (const { path, executable } of files) {
    const data = await tree.read(copyPath(name, path));
    size += data.length;
    if (size > MAX_MODULE_BYTES) return invalid(`has more than ${MAX_MODULE_BYTES / 1024 / 1024} MiB`);
    read.push({ path, executable, data: new Uint8Array(data) });
  }
  if (!files.some(({ path }) => path === MANIFEST_FILE)) {
    return {
      violations: [{ kind: 'MODULE_INVALID', where: MANIFEST_FILE, message: 'is not there', next: 'Restore it with "git checkout".' }],
    };
  }
  try {
    const bytes = packArchive(read);
    return await judge(unpackArchive(bytes), bytes);
  } catch (error) {
    if (!(error instanceof DtkdError)) throw error;
    return invalid(error.message);
  }
}

async function judge(archive: ModuleArchive, bytes: Uint8Array): Promise<Read> {
  let checked: { manifest: ModuleManifest; faults: readonly { field: string; message: string }[] };
  try {
    checked = await checkModule(archive);
  } catch (error) {
    if (!(error instanceof DtkdError)) throw error;
    const faults = faultsIn(error);
    if (faults.length > 0) return { violations: faults.map(faultOf) };
    const [, where = MANIFEST_FILE, message = error.message] = /^(dtk\.module\.yaml(?::\d+:\d+)?): ([\s\S]*)$/.exec(error.message) ?? [];
    return { violations: [{ kind: 'PARSING_ERROR', where, message }] };
  }
  if (checked.faults.length > 0) return { violations: checked.faults.map(faultOf) };
  return { copy: { manifest: checked.manifest, archive, bytes, digest: digestOf(bytes) } };
}

function faultOf({ field, message }: { field: string; message: string }): Violation {
  return { kind: 'MODULE_INVALID', where: MANIFEST_FILE, message: `${field}: ${message}` };
}

function invalid(message: string): Read {
  return { violations: [{ kind: 'MODULE_INVALID', where: '', message }] };
}
