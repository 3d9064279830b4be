/**
 * What of a data directory belongs into a backup: pure. Left out is what can be made anew, what belongs to a running process, and logs. Files that nobody here
 * knows, such as a config.yaml, go with it.
 */

/** Where a backup is put together, in the data directory. */
export const STAGE = '.backup';
/** Where a restore puts files together in a directory that was made for it. */
export const RESTORING = '.restoring';

/** `skip`: not in it. `copy`: small, and may be changed in place. `link`: never changed, or only added to, so that its first bytes stay what they are. */
export type Treatment = 'skip' | 'copy' | 'link';

const LEFT_OUT: readonly RegExp[] = [
  // the database is read as rows; the audit log and instances are given by their owners
  /^db$/,
  /^audit$/,
  /^instances$/,
  // of a running process
  /^api\.sock$/,
  /^endpoint\.json(\.new)?$/,
  /^daemon\.lock$/,
  /^logs$/,
  /^parcels$/,
  /^content\/(incoming|partial)$/,
  /^dispatch\/(runner|runs)$/,
  // unpacked anew from content when it is needed
  /^modules$/,
  // what commands keep where they run: theirs, of other users too, and as large as they like
  /^resources$/,
  /^\.backup$/,
  /^\.restoring$/,
];
/** Bytes named by their digest, and output that grows. */
const LINKED: readonly RegExp[] = [/^content\/[0-9a-f]{2}\//, /^dispatch\/(spools|collected)\//];

/** How a file or directory of the data directory is treated. */
export function treatmentOf(path: string): Treatment {
  if (LEFT_OUT.some((one) => one.test(path))) return 'skip';
  return LINKED.some((one) => one.test(path)) ? 'link' : 'copy';
}

/** The same in a repository: objects of git never change. Locks, and what was being written, belong to who holds them. */
export function treatmentInRepository(path: string): Treatment {
  if (/^\.git\/(.*\/)?([^/]+\.lock|tmp_[^/]*)$/.test(path)) return 'skip';
  return /^\.git\/objects\/./.test(path) ? 'link' : 'copy';
}

/** In a repository: what refers to objects is read before them. */
export function rankInRepository(path: string): number {
  if (path === '.git/objects/pack') return 2;
  return path === '.git/objects' || path.startsWith('.git/objects/') ? 1 : 0;
}

/** Those that their owners give. */
const GIVEN: ReadonlySet<string> = new Set(['audit', 'instances']);

/** False for what a backup never has: a restore would put it where the daemon has something else. */
export function belongsInBackup(path: string): boolean {
  const parts = path.split('/');
  return parts.every((_, index) => {
    const above = parts.slice(0, index + 1).join('/');
    return GIVEN.has(above) || treatmentOf(above) !== 'skip';
  });
}
