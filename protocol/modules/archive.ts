/**
 * Packs the files of a module into one byte sequence, and unpacks it. Pure. The same files always give the same bytes, and so the same
 * digest.
 */
import { createHash } from 'node:crypto';
import { MANIFEST_FILE, MAX_MODULE_BYTES, MAX_MODULE_FILES, type ModuleArchive, moduleArchive, modulePath } from '../definitions/module.ts';
import { decodeCbor, encodeCbor } from '../encoding/cbor.ts';
import { DtkdError } from '../errors.ts';

export type ModuleFile = ModuleArchive['files'][number];

/** Bytes of one segment of a path: what file systems allow. */
const MAX_SEGMENT_BYTES = 255;

/** SHA-256 in hex. */
export function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Packs files, given in any order. Errors: INVALID, TOO_LARGE. */
export function packArchive(files: readonly ModuleFile[]): Uint8Array {
  if (files.length > MAX_MODULE_FILES) throw tooLarge(`has ${files.length} files`);
  const size = files.reduce((sum, { data }) => sum + data.length, 0);
  if (size > MAX_MODULE_BYTES) throw tooLarge(`has ${size} bytes`);
  const sorted = files
    .map(({ path, executable, data }) => ({ path, executable, data }))
    .sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
  assertPaths(sorted);
  const bytes = encodeCbor({ version: 1, files: sorted });
  if (bytes.length > MAX_MODULE_BYTES) throw tooLarge(`has ${bytes.length} bytes when it is packed`);
  return bytes;
}

/** Unpacks and checks an archive. Errors: TOO_LARGE; CONTENT_ALTERED for bytes that `packArchive` would not make. */
export function unpackArchive(bytes: Uint8Array): ModuleArchive {
  if (bytes.length > MAX_MODULE_BYTES) throw tooLarge(`has ${bytes.length} bytes`);
  try {
    const archive = decodeCbor(bytes, moduleArchive, 'a module');
    assertPaths(archive.files);
    return archive;
  } catch (cause) {
    if (!(cause instanceof DtkdError)) throw cause;
    throw new DtkdError('CONTENT_ALTERED', `this is not a module: ${cause.message}`, {
      next: 'Install it from its directory with "dtkd module install DIR".',
      cause,
    });
  }
}

/** Refuses paths that are out of order, duplicated, both a file and a directory, or impossible on file systems. */
function assertPaths(files: readonly ModuleFile[]): void {
  const directories = new Set<string>();
  let before: Buffer | undefined;
  for (const { path } of files) {
    const shown = JSON.stringify(path.slice(0, 120));
    if (!modulePath.safeParse(path).success) throw wrong(`${shown} is not a path within a module`);
    if (path.split('/').some((part) => Buffer.byteLength(part) > MAX_SEGMENT_BYTES)) throw wrong(`a name in ${shown} is too long`);
    const bytes = Buffer.from(path);
    const order = before === undefined ? -1 : Buffer.compare(before, bytes);
    if (order === 0) throw wrong(`${shown} is in it twice`);
    if (order > 0) throw wrong(`its files are not in the order of their paths: ${shown}`);
    before = bytes;
    for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) directories.add(path.slice(0, at));
  }
  for (const { path } of files) {
    if (directories.has(path)) throw wrong(`${JSON.stringify(path.slice(0, 120))} is a file and a directory at once`);
  }
  if (!files.some(({ path }) => path === MANIFEST_FILE)) throw wrong(`it has no ${MANIFEST_FILE}`);
}

function wrong(why: string): DtkdError {
  return new DtkdError('INVALID', `the module cannot be packed: ${why}`, { next: 'Correct its directory and try again.' });
}

function tooLarge(why: string): DtkdError {
  return new DtkdError(
    'TOO_LARGE',
    `the module ${why}; at most ${MAX_MODULE_FILES} files and ${MAX_MODULE_BYTES / 1024 / 1024} MiB are allowed`,
    {
      next: 'Keep large files out of the module, and fetch them in its install command.',
    },
  );
}
