/**
 * Decides which parts of a data directory belong in a backup. Pure. Leaves out what can be recreated, what belongs to a running process,
 * and logs. Unknown files, such as a config.yaml, are included.
 */

/** Directory, in the data directory, where a backup is assembled. */
export const STAGE = '.backup';
/** Directory where a restore assembles files, inside a target directory that already exists. */
export const RESTORING = '.restoring';

/**
 * `skip`: left out. `copy`: small, and may be changed in place. `link`: never changed, or only appended to, so that a hard link keeps the
 * present bytes.
 */
export type Treatment = 'skip' | 'copy' | 'link';

const LEFT_OUT: readonly RegExp[] = [
  // the database is read as rows; the audit log and instances are provided by their owners
  /^db$/,
  /^audit$/,
  /^instances$/,
  // belongs to a running process
  /^api\.sock$/,
  /^endpoint\.json(\.new)?$/,
  /^daemon\.lock$/,
  /^logs$/,
  /^parcels$/,
  /^content\/(incoming|partial)$/,
  /^dispatch\/(runner|runs)$/,
  // unpacked again from content when needed
  /^modules$/,
  // files that commands keep where they run: their own, possibly of other users, and of any size
  /^resources$/,
  /^\.backup$/,
  /^\.restoring$/,
];
/** Content named by its digest, and growing output. */
const LINKED: readonly RegExp[] = [/^content\/[0-9a-f]{2}\//, /^dispatch\/(spools|collected)\//];

/** The treatment of a file or directory in the data directory. */
export function treatmentOf(path: string): Treatment {
  if (LEFT_OUT.some((one) => one.test(path))) return 'skip';
  return LINKED.some((one) => one.test(path)) ? 'link' : 'copy';
}

/**
 * The treatment of a file or directory in a repository. Git objects never change. Locks and files being written belong to the process that
 * holds them.
 */
export function treatmentInRepository(path: string): Treatment {
  if (/^\.git\/(.*\/)?([^/]+\.lock|tmp_[^/]*)$/.test(path)) return 'skip';
  return /^\.git\/objects\/./.test(path) ? 'link' : 'copy';
}

/** The order in which a repository is read: references come before the objects that they refer to. */
export function rankInRepository(path: string): number {
  if (path === '.git/objects/pack') return 2;
  return path === '.git/objects' || path.startsWith('.git/objects/') ? 1 : 0;
}

/** Directories provided by their owners. */
const GIVEN: ReadonlySet<string> = new Set(['audit', 'instances']);

/** False for a path that a backup never contains. A restore would put it where the daemon keeps something else. */
export function belongsInBackup(path: string): boolean {
  const parts = path.split('/');
  return parts.every((_, index) => {
    const above = parts.slice(0, index + 1).join('/');
    return GIVEN.has(above) || treatmentOf(above) !== 'skip';
  });
}
