/** Why there is no room for more bytes: the share of all content, that of one user, or the disk. */
import { DtkdError } from '../../../../protocol/errors.ts';

export function noRoom(capacity: number): DtkdError {
  return new DtkdError('DISK_FULL', `this node keeps no more than ${capacity} bytes of files and modules`, {
    next: 'Wait until what is being copied has arrived, or remove modules that are not needed.',
  });
}

export function shareTaken(): DtkdError {
  return new DtkdError('DISK_FULL', 'of the room that this node has for files your uploads take as much as is left for all others', {
    next: 'Wait until what you have copied is not needed any more, or have the operator of this node copy it.',
  });
}

export function diskFull(directory: string): DtkdError {
  return new DtkdError('DISK_FULL', `what is left of the disk under ${directory} is kept for what the daemon itself has to write`, {
    next: 'Free some space and do it again.',
  });
}
