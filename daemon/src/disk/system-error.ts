/** The code of an error of the system, such as ENOENT. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** True if the file or directory does not exist. */
export function isMissing(error: unknown): boolean {
  return systemCode(error) === 'ENOENT';
}

/** For `catch`: undefined if the file or directory does not exist; any other error is thrown. */
export function unlessMissing(error: unknown): undefined {
  if (!isMissing(error)) throw error;
}

/** True if the disk or this user's quota is full. */
export function isFull(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'ENOSPC' || code === 'EDQUOT';
}
