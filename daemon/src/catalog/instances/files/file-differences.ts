/** Differences between two sets of files, limited to what a person can read. */
import type { PathChange } from '../repository/repository.types.ts';
import type { FileDifference } from './files.types.ts';
import { lineDiff } from './line-diff.ts';

/** Bytes of a file that is compared line by line. */
const MAX_FILE = 256 * 1024;
/** Characters of text in one answer. */
const MAX_SHOWN = 512 * 1024;
/** Files in one answer that are compared line by line, which takes some milliseconds each. */
const MAX_COMPARED = 500;

/** Reads the content at a path. Undefined: it must not be shown. */
export type ReadSide = (path: string) => Promise<Uint8Array | undefined>;

/** The changes, with a line diff where both sides are text and within the limits. */
export async function fileDifferences(changes: readonly PathChange[], before: ReadSide, after: ReadSide): Promise<FileDifference[]> {
  const differences: FileDifference[] = [];
  let shown = 0;
  for (const [number, change] of changes.entries()) {
    const text = shown > MAX_SHOWN || number >= MAX_COMPARED ? undefined : await textOf(change, before, after);
    shown += text?.length ?? 0;
    differences.push(text === undefined || shown > MAX_SHOWN ? change : { ...change, text });
  }
  return differences;
}

async function textOf({ path, op }: PathChange, before: ReadSide, after: ReadSide): Promise<string | undefined> {
  const [a, b] = [op === 'added' ? '' : await readText(before, path), op === 'removed' ? '' : await readText(after, path)];
  if (a === undefined || b === undefined) return undefined;
  // the same content: only the executable bit changed
  return lineDiff(a, b) || undefined;
}

async function readText(side: ReadSide, path: string): Promise<string | undefined> {
  const data = await side(path);
  if (data === undefined || data.length > MAX_FILE || data.includes(0)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(data);
  } catch {
    return undefined;
  }
}
