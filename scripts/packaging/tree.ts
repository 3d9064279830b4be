/** The content of an archive: paths with their modes and bytes. Sorted, and independent of the machine that builds it. */
import { chmod, copyFile, lutimes, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export type Entry =
  | { kind: 'directory' }
  | { kind: 'link'; target: string }
  /** `from`: the file to copy. */
  | { kind: 'file'; executable: boolean; content: Buffer | { from: string; size: number } };

/** Entries by path, without `./` and without a trailing slash. */
export type Tree = Map<string, Entry>;

/**
 * All files below `directory` for which `isNeeded` holds, placed below `at`. `isProgram`: which ones are executable; default: as on disk.
 * Symlinks are skipped, since no package needs any.
 */
export async function treeOf(
  directory: string,
  at: string,
  {
    isNeeded = () => true,
    isProgram,
  }: { isNeeded?: (path: string) => boolean | Promise<boolean>; isProgram?: (path: string) => boolean } = {},
): Promise<Tree> {
  const tree: Tree = new Map();
  for (const found of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!found.isFile()) continue;
    const from = join(found.parentPath, found.name);
    const path = from.slice(directory.length + 1);
    if (!(await isNeeded(path))) continue;
    const { mode, size } = await stat(from);
    tree.set(join(at, path), { kind: 'file', executable: isProgram?.(path) ?? (mode & 0o111) !== 0, content: { from, size } });
  }
  return tree;
}

export function textFile(text: string | Buffer, executable = false): Entry {
  return { kind: 'file', executable, content: Buffer.from(text) };
}

/** Adds `more` to `tree`. Errors: two entries with one path. */
export function add(tree: Tree, more: Tree | readonly (readonly [string, Entry])[]): void {
  for (const [path, entry] of more) {
    if (tree.has(path)) throw new Error(`${path} would be in the package twice`);
    tree.set(path, entry);
  }
}

/** The entries and their parent directories, sorted by path. */
export function sorted(tree: Tree): [string, Entry][] {
  const whole: Tree = new Map(tree);
  for (const path of tree.keys()) {
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      if (!whole.has(path.slice(0, end))) whole.set(path.slice(0, end), { kind: 'directory' });
    }
  }
  return [...whole].sort(([a], [b]) => (a < b ? -1 : 1));
}

export async function contentOf(entry: Entry): Promise<Buffer> {
  if (entry.kind !== 'file') return Buffer.alloc(0);
  return Buffer.isBuffer(entry.content) ? entry.content : readFile(entry.content.from);
}

export function sizeOf(entry: Entry): number {
  if (entry.kind !== 'file') return 0;
  return Buffer.isBuffer(entry.content) ? entry.content.length : entry.content.size;
}

/** Writes the entries below `directory`, creating it, and gives every file the same time (seconds since 1970). */
export async function writeTree(tree: Tree, directory: string, time: number): Promise<void> {
  await mkdir(directory, { recursive: true });
  const entries = sorted(tree);
  for (const [path, entry] of entries) {
    const to = join(directory, path);
    await mkdir(entry.kind === 'directory' ? to : dirname(to), { recursive: true });
    if (entry.kind === 'link') await symlink(entry.target, to);
    if (entry.kind !== 'file') continue;
    await (Buffer.isBuffer(entry.content) ? writeFile(to, entry.content) : copyFile(entry.content.from, to));
    await chmod(to, entry.executable ? 0o755 : 0o644);
  }
  // Writing into a directory changes its time, so the times of directories are set last.
  for (const [path] of entries.reverse()) await lutimes(join(directory, path), time, time);
  await lutimes(directory, time, time);
}
