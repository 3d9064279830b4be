import { DtkdError } from '../../../protocol/errors.ts';

/** Collects all codes and messages of a database error and its causes. */
function causesOf(error: unknown): { codes: string[]; text: string } {
  const codes: string[] = [];
  const texts: string[] = [];
  for (let current = error; current instanceof Error; current = current.cause) {
    if ('code' in current && typeof current.code === 'string') codes.push(current.code);
    texts.push(current.message);
  }
  return { codes, text: texts.join(': ') };
}

/** True if the database, or the iterator or snapshot in use, was closed meanwhile. */
export function isNotOpen(error: unknown): boolean {
  return ['LEVEL_DATABASE_NOT_OPEN', 'LEVEL_ITERATOR_NOT_OPEN', 'LEVEL_SNAPSHOT_NOT_OPEN'].some((code) =>
    causesOf(error).codes.includes(code),
  );
}

/** How LevelDB reports that one of its own files is missing or empty. */
const FILE_MISSING = /io error: .*: (no such file or directory|invalid argument)/i;

/** Maps errors of LevelDB and the file system to stable codes. */
export function storageError(error: unknown, directory: string): DtkdError {
  if (error instanceof DtkdError) return error;
  const { codes, text } = causesOf(error);
  if (codes.includes('LEVEL_LOCKED')) {
    return new DtkdError('DATA_LOCKED', `another process uses the data directory ${directory}`, {
      next: 'Stop the other daemon, or give this one its own directory with --data.',
      cause: error,
    });
  }
  if (codes.includes('ENOSPC') || /no space left|disk quota exceeded|file too large/i.test(text)) {
    return new DtkdError('DISK_FULL', `the disk under ${directory} is full; nothing was stored`, {
      next: 'Free some space and repeat the request. Everything that was acknowledged is safe.',
      cause: error,
    });
  }
  if (
    ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST'].some((code) => codes.includes(code)) ||
    /permission denied|read-only file system|not a directory/i.test(text)
  ) {
    return new DtkdError('DATA_UNWRITABLE', `the data directory ${directory} cannot be written`, {
      next: 'Give the user that runs dtkd write access to it, or choose another one with --data.',
      cause: error,
    });
  }
  if (codes.includes('EMFILE') || codes.includes('ENFILE') || /too many open files/i.test(text)) {
    return new DtkdError('UNAVAILABLE', `this process may open no more files, and needs some in ${directory}`, {
      next: 'Raise its limit: LimitNOFILE= of the unit, or ulimit -n in a shell.',
      cause: error,
    });
  }
  if (isNotOpen(error) && !/corrupt|io error/i.test(text)) {
    return new DtkdError('UNAVAILABLE', 'the store is closed', { cause: error });
  }
  if (/corrupt/i.test(text) || FILE_MISSING.test(text)) {
    return new DtkdError('DATA_CORRUPT', `the database in ${directory} is damaged: ${text}`, {
      next: 'Restore a backup (dtkd restore) into an empty directory, or start with an empty one and join anew: dtkd domain join ADDR TOKEN --replace NAME, with an invite made by dtkd domain invite DOMAIN --replace NAME.',
      cause: error,
    });
  }
  return new DtkdError('INTERNAL', `the database in ${directory} failed: ${text}`, { cause: error });
}
