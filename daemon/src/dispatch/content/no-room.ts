/** Why there is no room for more bytes: the share of all content, that of one user, or the disk. */
import { DtkdError } from '../../../../protocol/errors.ts';

export function noRoom(capacity: number): DtkdError {
  return new DtkdError('DISK_FULL', `this node keeps no more than ${capacity} bytes of files and modules`, {
    next: 'Wait until what is being copied has arrived, or remove modules that are not needed.',
  });
}

export function shareTaken(): DtkdError {
  return new DtkdError(
    'DISK_FULL',
    'your uploads already take as much of the room that this node has for files as is left for everyone else',
    {
      next: 'Wait until the files that you copied are no longer needed, or ask the operator of this node to copy it.',
    },
  );
}

export function diskFull(directory: string): DtkdError {
  return new DtkdError('DISK_FULL', `the space left on the disk under ${directory} is reserved for the daemon itself`, {
    next: 'Free some space and try again.',
  });
}
