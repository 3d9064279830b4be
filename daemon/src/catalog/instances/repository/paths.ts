/** Names of files in repositories: pure. */
import { modulePath } from '../../../../../protocol/definitions/module.ts';
import { MAX_DEPTH } from './limits.ts';

/** Bytes of one part of a path: what file systems take. */
const MAX_PART_BYTES = 255;

/** What is wrong with a path; undefined: nothing. A `.git` within would make git run what stands in its configuration. */
export function pathFault(path: string): string | undefined {
  if (!modulePath.safeParse(path).success || path.includes('\uFFFD')) return 'is not a name that a file may have here';
  const parts = path.split('/');
  if (parts.length > MAX_DEPTH) return `is nested more than ${MAX_DEPTH} directories deep`;
  if (parts.some((part) => Buffer.byteLength(part) > MAX_PART_BYTES)) return 'is too long a name';
  if (parts.some(isGitDirectory)) return 'is a git repository of its own; only its files can be here, without .git';
  return undefined;
}

/** Spellings that some file system takes for `.git`. */
function isGitDirectory(part: string): boolean {
  const plain = part
    .replace(/\p{Cf}/gu, '')
    .replace(/[. ]+$/, '')
    .toLowerCase();
  return plain === '.git' || plain === 'git~1';
}

/** What editors and systems leave beside files: not taken in, unless it was put under a commit by somebody. */
export function isLeftover(name: string): boolean {
  return name === '.DS_Store' || /(^\.#)|(^#.*#$)|(~$)|(\.sw[a-p]$)/.test(name);
}

/** The same for git. */
export const LEFTOVER_PATTERNS = ['.DS_Store', '.#*', '#*#', '*~', '*.sw[a-p]'] as const;

/** A path as sentences show it. */
export function shownPath(path: string): string {
  return path.length > 200 ? `${path.slice(0, 200)}…` : path;
}

/** In the order of git: by bytes. */
export function byPath(a: { path: string }, b: { path: string }): number {
  return Buffer.compare(Buffer.from(a.path), Buffer.from(b.path));
}
