/** Three-way merge of a module's files: edited in the instance while the base has moved on. Pure; compares whole files. */

export interface CopiedFile {
  path: string;
  executable: boolean;
  data: Uint8Array;
}

export type FileSet = ReadonlyMap<string, CopiedFile>;

export interface Merged {
  /** The merged files. */
  files: Map<string, CopiedFile>;
  /**
   * Paths that both sides changed differently, or where one side's file is in the way of the other's. `files` has the version of
   * `theirs`.
   */
  conflicts: string[];
}

/** `base`: the common ancestor. Undefined: not known; then files that both have conflict unless they are equal. */
export function merge(base: FileSet | undefined, ours: FileSet, theirs: FileSet): Merged {
  const files = new Map<string, CopiedFile>();
  const conflicts: string[] = [];
  for (const path of [...new Set([...ours.keys(), ...theirs.keys()])].sort()) {
    const [was, own, their] = [base?.get(path), ours.get(path), theirs.get(path)];
    // without a base, a file that only one side has is kept
    const keepsOwn = sameFile(own, their) || (base === undefined ? their === undefined : sameFile(was, their));
    const takesTheirs = base === undefined ? own === undefined : sameFile(was, own);
    if (!keepsOwn && !takesTheirs) conflicts.push(path);
    const kept = keepsOwn ? own : their;
    if (kept !== undefined) files.set(path, kept);
  }
  for (const path of clashing(files, theirs)) {
    conflicts.push(path);
    files.delete(path);
  }
  return { files, conflicts: conflicts.sort() };
}

/** Files only in ours that cannot exist beside theirs: one is a file where the other has a directory. */
function clashing(files: FileSet, theirs: FileSet): string[] {
  const directories = new Set([...files.keys()].flatMap(directoriesOf));
  return [...files.keys()].filter(
    (path) => !theirs.has(path) && (directories.has(path) || directoriesOf(path).some((directory) => files.has(directory))),
  );
}

/** All directories above a path. */
function directoriesOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, at) => parts.slice(0, at + 1).join('/'));
}

function sameFile(a: CopiedFile | undefined, b: CopiedFile | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.executable === b.executable && Buffer.compare(a.data, b.data) === 0;
}

/** Paths that differ between two sets, sorted. */
export function changedPaths(before: FileSet, after: FileSet): { path: string; op: 'added' | 'changed' | 'removed' }[] {
  return [...new Set([...before.keys(), ...after.keys()])]
    .sort()
    .filter((path) => !sameFile(before.get(path), after.get(path)))
    .map((path) => ({ path, op: !before.has(path) ? 'added' : after.has(path) ? 'changed' : 'removed' }));
}

export function fileSet(files: Iterable<CopiedFile>): Map<string, CopiedFile> {
  return new Map([...files].map((file) => [file.path, file]));
}
