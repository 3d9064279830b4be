/** Translates errors of the file system into dtkd's. */
import { DtkdError } from '../../../../protocol/errors.ts';
import { systemCode } from '../../disk/system-error.ts';

/** Returns the error with a code and a message about `path`. */
export function fileError(error: unknown, path: string): DtkdError {
  if (error instanceof DtkdError) return error;
  switch (systemCode(error)) {
    case 'ENOENT':
      return new DtkdError('NOT_FOUND', `there is no ${path}`, { cause: error });
    case 'ENOTDIR':
      return new DtkdError('NOT_FOUND', `a part of ${path} is not a directory`, { cause: error });
    case 'EACCES':
    case 'EPERM':
      return new DtkdError('FORBIDDEN', `the daemon has no permission to do that with ${path}`, {
        next: 'Choose another place, or give the user that runs the daemon access to it.',
        cause: error,
      });
    case 'EROFS':
      return new DtkdError('FORBIDDEN', `${path} is on a file system that cannot be written`, { cause: error });
    case 'EISDIR':
      return new DtkdError('INVALID', `${path} is a directory`, { cause: error });
    case 'ELOOP':
      return new DtkdError('INVALID', `${path} leads through too many symbolic links`, { cause: error });
    case 'ENAMETOOLONG':
      return new DtkdError('INVALID', `the name of ${path.slice(0, 80)}… is too long`, { cause: error });
    case 'ETXTBSY':
      return new DtkdError('CONFLICT', `${path} is a program that is running`, { cause: error });
    case 'ENOSPC':
    case 'EDQUOT':
    case 'EFBIG':
      return new DtkdError('DISK_FULL', `there is no room for ${path}`, { next: 'Free some space and try again.', cause: error });
    default:
      return new DtkdError('INTERNAL', `${path}: ${systemCode(error) ?? 'the file system failed'}`, { cause: error });
  }
}
