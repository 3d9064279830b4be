/** What becomes of a module's files when its base has moved on and they were edited meanwhile: pure, file by file. */

export interface CopiedFile {
  path: string;
  executable: boolean;
  data: Uint8Array;
}

export type FileSet = ReadonlyMap<string, CopiedFile>;

export interface Merged {
  /** All files, as they should be. */
  files: Map<string, CopiedFile>;
  /** Changed on both sides, and differently, or in the way of one of theirs; in `files` it is as they have it. */
  conflicts: string[];
}

/** `base`: what both come from. Undefined: not known, so that what both have is in conflict unless it is the same. */
export function merge(base: FileSet | undefined, ours: FileSet, theirs: FileSet): Merged {
  const files = new Map<string, CopiedFile>();
  const conflicts: string[] = [];
  for (const path of [...new Set([...ours.keys(), ...theirs.keys()])].sort()) {
    const [was, own, their] = [base?.get(path), ours.get(path), theirs.get(path)];
    // of what both come from nothing may be known: then what only one has is its own
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

/** Files of ours alone that cannot be beside theirs: one of the two stands where the other has a directory. */
function clashing(files: FileSet, theirs: FileSet): string[] {
  const directories = new Set([...files.keys()].flatMap(directoriesOf));
  return [...files.keys()].filter(
    (path) => !theirs.has(path) && (directories.has(path) || directoriesOf(path).some((directory) => files.has(directory))),
  );
}

/** All that a path is in. */
function directoriesOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, at) => parts.slice(0, at + 1).join('/'));
}

function sameFile(a: CopiedFile | undefined, b: CopiedFile | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.executable === b.executable && Buffer.compare(a.data, b.data) === 0;
}

/** Which paths differ between two sets, in the order of names. */
export function changedPaths(before: FileSet, after: FileSet): { path: string; op: 'added' | 'changed' | 'removed' }[] {
  return [...new Set([...before.keys(), ...after.keys()])]
    .sort()
    .filter((path) => !sameFile(before.get(path), after.get(path)))
    .map((path) => ({ path, op: !before.has(path) ? 'added' : after.has(path) ? 'changed' : 'removed' }));
}

export function fileSet(files: Iterable<CopiedFile>): Map<string, CopiedFile> {
  return new Map([...files].map((file) => [file.path, file]));
}
