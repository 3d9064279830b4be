import { DtkdError, type ErrorCode } from '../../protocol/errors.ts';
import { textAt } from '../json.ts';

const REASONS: ReadonlyMap<string | undefined, { why: string; code?: ErrorCode; next?: string }> = new Map([
  ['ENOSPC', { why: 'the disk is full', code: 'DISK_FULL', next: 'Make room there, or write to another disk.' }],
  ['EDQUOT', { why: 'the quota of this user is used up', code: 'DISK_FULL', next: 'Make room there, or write to another disk.' }],
  ['ENOENT', { why: 'there is no such directory' }],
  ['ENOTDIR', { why: 'there is no such directory' }],
  ['EISDIR', { why: 'it is a directory' }],
  ['EACCES', { why: 'permission denied' }],
  ['EPERM', { why: 'permission denied' }],
  ['EROFS', { why: 'the file system is read-only' }],
]);

/** Explains to people why a file cannot be written; returns a DtkdError unchanged. */
export function cannotWrite(what: string, error: unknown): DtkdError {
  if (error instanceof DtkdError) return error;
  const code = textAt(error, 'code');
  const reason = REASONS.get(code);
  return new DtkdError(reason?.code ?? 'BAD_REQUEST', `cannot write ${what}: ${reason?.why ?? code ?? String(error)}`, {
    ...(reason?.next === undefined ? {} : { next: reason.next }),
    cause: error,
  });
}
