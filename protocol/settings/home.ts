import { homedir } from 'node:os';
import { isAbsolute } from 'node:path';

/**
 * Returns the home directory of this user. Undefined if HOME is not an absolute path, or is not set and the system does not know the
 * user, as in containers with their own user.
 */
export function homeDirectory(): string | undefined {
  try {
    const home = homedir();
    return isAbsolute(home) ? home : undefined;
  } catch {
    return undefined;
  }
}
