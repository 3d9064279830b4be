import { homedir } from 'node:os';
import { isAbsolute } from 'node:path';

/** The home directory of this user; undefined where HOME is not set to one and the system knows no such user, as in containers with a user of their own. */
export function homeDirectory(): string | undefined {
  try {
    const home = homedir();
    return isAbsolute(home) ? home : undefined;
  } catch {
    return undefined;
  }
}
