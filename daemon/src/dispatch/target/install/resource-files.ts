/**
 * Creates the directory of a resource on this node, with the facts about it and the templates of its types. Writes only whole files, and
 * only those that have changed.
 */
import { createHash, randomBytes } from 'node:crypto';
import { chmod, lstat, mkdir, open, readFile, rename, unlink } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { DtkdError } from '../../../../../protocol/errors.ts';
import { systemCode, unlessMissing } from '../../../disk/system-error.ts';

/** Files of one resource written at a time: most have two. */
const WRITTEN_AT_A_TIME = 4;
const DIRECTORY = 0o755;

export interface WantedFile {
  /** Relative to the directory. */
  path: string;
  content: Uint8Array;
  executable: boolean;
}

/** A digest that changes with any of the wanted files. */
export function filesDigest(files: readonly WantedFile[]): string {
  const hash = createHash('sha256');
  for (const { path, content, executable } of files) {
    hash.update(`${JSON.stringify(path)} ${executable} ${content.length}\n`).update(content);
  }
  return hash.digest('hex');
}

/** SHA-256 of each file's content, by path. */
export function fileDigests(files: readonly WantedFile[]): Record<string, string> {
  return Object.fromEntries(files.map(({ path, content }) => [path, createHash('sha256').update(content).digest('hex')]));
}

/** A file whose new content only has to be renamed into place. */
export interface StagedFile {
  path: string;
  staged: string;
}

/** Writes files into a resource's directory. Errors: INVALID if something is in the way, DISK_FULL. */
export async function writeFiles(directory: string, files: readonly WantedFile[]): Promise<void> {
  await makeDirectory(directory, join(directory, 'var'));
  for (let at = 0; at < files.length; at += WRITTEN_AT_A_TIME) {
    await Promise.all(files.slice(at, at + WRITTEN_AT_A_TIME).map((file) => writeOne(directory, file)));
  }
}

/**
 * Writes the files that are not as wanted to other paths on the same disk, and changes nothing in the directory. `place` gives paths at
 * which there is no file. Errors: those of the system, and INVALID if a file could not be put in place either.
 */
export async function stageFiles(directory: string, files: readonly WantedFile[], place: () => Promise<string>): Promise<StagedFile[]> {
  const staged: StagedFile[] = [];
  for (const file of files) {
    const target = targetOf(directory, file.path);
    await assertNoLinks(directory, dirname(target));
    if (await isAsWanted(target, file)) continue;
    const path = await place();
    await writeNew(path, file);
    staged.push({ path: file.path, staged: path });
  }
  return staged;
}

/** Puts staged files in place. Errors: as `stageFiles`; then some may still be where they were staged. */
export async function placeFiles(directory: string, staged: readonly StagedFile[]): Promise<void> {
  await Promise.all(
    staged.map(async (file) => {
      const target = targetOf(directory, file.path);
      await assertNoLinks(directory, dirname(target));
      await rename(file.staged, target);
    }),
  );
}

async function writeOne(directory: string, file: WantedFile): Promise<void> {
  const target = targetOf(directory, file.path);
  try {
    await makeDirectory(directory, dirname(target));
    if (await isAsWanted(target, file)) return;
    const beside = `${target}.${randomBytes(6).toString('hex')}.dtkd`;
    try {
      await writeNew(beside, file);
      await rename(beside, target);
    } catch (error) {
      await unlink(beside).catch(() => undefined);
      throw error;
    }
  } catch (error) {
    if (error instanceof DtkdError) throw error;
    const full = systemCode(error) === 'ENOSPC';
    throw new DtkdError(full ? 'DISK_FULL' : 'INVALID', `the file ${file.path} of the resource's directory cannot be written`, {
      cause: error,
    });
  }
}

/** Errors: INVALID. */
function targetOf(directory: string, path: string): string {
  const target = join(directory, path);
  if (target.startsWith(directory + sep)) return target;
  throw new DtkdError('INVALID', `the template file ${path} would be outside of the resource's directory`);
}

async function isAsWanted(target: string, { content, executable }: WantedFile): Promise<boolean> {
  const none = () => undefined;
  const info = await lstat(target).catch(none);
  // not read if something else has taken its place: a pipe, or an endless file
  if (info?.isFile() !== true || info.size !== content.length || (info.mode & 0o777) !== modeOf(executable)) return false;
  const before = await readFile(target).catch(none);
  return before !== undefined && Buffer.compare(before, content) === 0;
}

async function writeNew(path: string, { content, executable }: WantedFile): Promise<void> {
  const mode = modeOf(executable);
  const file = await open(path, 'wx', mode);
  try {
    await file.writeFile(content);
    // independent of the daemon's umask: other users' commands read it
    await file.chmod(mode);
  } finally {
    await file.close();
  }
}

/** Creates a directory of a resource, which other users' commands may enter and list. Errors: INVALID if a link is in the way. */
async function makeDirectory(directory: string, path: string): Promise<void> {
  await assertNoLinks(directory, path, unlessMissing);
  const first = await mkdir(path, { recursive: true, mode: DIRECTORY });
  if (first === undefined) return;
  const top = Math.max(first.length, directory.length);
  for (let at = path; at.length >= top; at = dirname(at)) await chmod(at, DIRECTORY);
}

function rethrow(error: unknown): never {
  throw error;
}

function modeOf(executable: boolean): number {
  return executable ? 0o755 : 0o644;
}

/** Refuses links: a command of the resource may have put one where a template has a directory, and nothing may be written through it. */
async function assertNoLinks(directory: string, parent: string, unread: (error: unknown) => undefined = rethrow): Promise<void> {
  for (let at = parent; at.length > directory.length; at = dirname(at)) {
    const info = await lstat(at).catch(unread);
    if (info?.isSymbolicLink() === true) throw new DtkdError('INVALID', `${at} is a link, and nothing is written through it`);
  }
}
