/** Names of files in repositories. Pure. */
import { modulePath } from '../../../../../protocol/definitions/module.ts';
import { MAX_DEPTH } from './limits.ts';

/** Bytes of one path component: the limit of common file systems. */
const MAX_PART_BYTES = 255;

/** What is wrong with a path. Undefined: nothing. A nested `.git` is refused because git would run what its configuration says. */
export function pathFault(path: string): string | undefined {
  if (!modulePath.safeParse(path).success || path.includes('\uFFFD')) return 'is not an allowed file name here';
  const parts = path.split('/');
  if (parts.length > MAX_DEPTH) return `is nested more than ${MAX_DEPTH} directories deep`;
  if (parts.some((part) => Buffer.byteLength(part) > MAX_PART_BYTES)) return 'is a name that is too long';
  if (parts.some(isGitDirectory)) return 'is a git repository of its own; only its files can be here, without .git';
  return undefined;
}

/** True for spellings that some file system treats as `.git`. */
function isGitDirectory(part: string): boolean {
  const plain = part
    .replace(/\p{Cf}/gu, '')
    .replace(/[. ]+$/, '')
    .toLowerCase();
  return plain === '.git' || plain === 'git~1';
}

/** True for files that editors and systems leave behind. They are ignored unless they are committed. */
export function isLeftover(name: string): boolean {
  return name === '.DS_Store' || /(^\.#)|(^#.*#$)|(~$)|(\.sw[a-p]$)/.test(name);
}

/** The same patterns in git's syntax. */
export const LEFTOVER_PATTERNS = ['.DS_Store', '.#*', '#*#', '*~', '*.sw[a-p]'] as const;

/** A path shortened for messages. */
export function shownPath(path: string): string {
  return path.length > 200 ? `${path.slice(0, 200)}…` : path;
}

/** Compares paths by bytes, as git does. */
export function byPath(a: { path: string }, b: { path: string }): number {
  return Buffer.compare(Buffer.from(a.path), Buffer.from(b.path));
}
