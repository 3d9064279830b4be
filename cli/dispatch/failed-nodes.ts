/** The file of `-F`: names of nodes on which a command has yet to succeed, one per line. */
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { DtkdError } from '../../protocol/errors.ts';
import { textAt } from '../json.ts';
import { type ExecutionView, nodesLeft } from './execution.ts';

/** No list of nodes is larger. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** The nodes in the file; undefined if there is no file. Lines that begin with # are comments. */
export async function readFailedNodes(file: string): Promise<string[] | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const code = textAt(error, 'code');
    if (code === 'ENOENT') return undefined;
    throw new DtkdError('BAD_REQUEST', `cannot read ${file}: ${code ?? String(error)}`, { cause: error });
  }
  if (text.length > MAX_FILE_BYTES) throw new DtkdError('TOO_LARGE', `${file} is not a list of nodes: it is too large`);
  const names = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (names.length === 0) throw new DtkdError('BAD_REQUEST', `${file} lists no nodes`, { next: 'Remove it to take every node again.' });
  return [...new Set(names)];
}

/**
 * Writes the nodes on which the command has yet to succeed, or removes the file if there are none. `listed`: what the file contained
 * before.
 */
export async function keepFailedNodes(file: string, listed: readonly string[] | undefined, execution: ExecutionView): Promise<string[]> {
  const targeted = new Set([...execution.parts.values()].map(({ node }) => node));
  const left = [...new Set([...(listed ?? []).filter((node) => !targeted.has(node)), ...nodesLeft(execution)])];
  if (left.length === 0) {
    await rm(file, { force: true });
    return left;
  }
  // renamed into place: a half-written file would lose nodes
  const fresh = `${file}.${process.pid}.tmp`;
  try {
    await writeFile(fresh, `${left.join('\n')}\n`);
    await rename(fresh, file);
  } catch (error) {
    await rm(fresh, { force: true }).catch(() => undefined);
    throw new DtkdError('BAD_REQUEST', `cannot write ${file}: ${textAt(error, 'code') ?? String(error)}`, {
      next: `It has yet to succeed on: ${left.join(', ')}`,
      cause: error,
    });
  }
  return left;
}
