/**
 * Turns the error that ended a start into one for the operator: whichever part failed on a file of the data directory, the code and the
 * advice are the same.
 */
import { DtkdError } from '../../../protocol/errors.ts';

const NO_ROOM = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);
const NO_DESCRIPTOR = new Set(['EMFILE', 'ENFILE']);
const NOT_ITS_OWN = new Set(['EACCES', 'EPERM']);
const NOT_USABLE = new Set(['EROFS', 'EEXIST', 'ENOTDIR', 'EISDIR']);

/**
 * Returns DISK_FULL, UNAVAILABLE or DATA_UNWRITABLE if the file system is the cause, whatever code the part gave. Other errors are returned
 * as they are.
 */
export function startingError(error: unknown, directory: string): unknown {
  const failed = systemErrorOf(error);
  if (failed === undefined) return error;
  if (NO_ROOM.has(failed.code)) return full(directory, error);
  if (NO_DESCRIPTOR.has(failed.code)) return noDescriptor(error);
  const unusable = NOT_ITS_OWN.has(failed.code) || NOT_USABLE.has(failed.code);
  const saysSo = error instanceof DtkdError && error.code === 'DATA_UNWRITABLE';
  if (!unusable || saysSo || failed.path?.startsWith(directory) !== true) return error;
  return new DtkdError('DATA_UNWRITABLE', `${failed.path} cannot be used: ${failed.message}`, {
    next: NOT_ITS_OWN.has(failed.code)
      ? `It may have been started as another user before. Give all of ${directory} to the user that runs dtkd, as root: chown --recursive USER ${directory}.`
      : 'Move what is in the way, or name another directory with --data.',
    cause: error,
  });
}

function full(directory: string, cause: unknown): DtkdError {
  return new DtkdError('DISK_FULL', `the disk under ${directory} is full`, {
    next: 'Free some space and start it again. Everything that was acknowledged is safe.',
    cause,
  });
}

function noDescriptor(cause: unknown): DtkdError {
  return new DtkdError('UNAVAILABLE', 'this process may open no more files', {
    next: 'Raise its limit: LimitNOFILE= of the unit, or ulimit -n in a shell.',
    cause,
  });
}

interface SystemError {
  code: string;
  path: string | undefined;
  message: string;
}

/** The innermost system error among the causes. */
function systemErrorOf(error: unknown): SystemError | undefined {
  let found: SystemError | undefined;
  for (let current = error; current instanceof Error; current = current.cause) {
    if (!('syscall' in current && 'code' in current && typeof current.code === 'string')) continue;
    const path = 'path' in current && typeof current.path === 'string' ? current.path : undefined;
    found = { code: current.code, path, message: current.message };
  }
  return found;
}
