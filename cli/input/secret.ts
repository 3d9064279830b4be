import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { DtkdError } from '../../protocol/errors.ts';
import { shellWord } from '../../protocol/text/shell-word.ts';
import { cannotRead } from './read-capped.ts';

/** Tokens have a few hundred characters; a larger file is the wrong one. */
const MAX_SECRET_BYTES = 65_536;

/**
 * Reads a secret as people give it: the value itself, `-` for standard input, `@FILE` for a file. White space around it is dropped. `what`
 * names it in messages, which never contain the secret itself.
 */
export async function readSecret(argument: string, what: string, stdin: Readable & { isTTY?: boolean } = process.stdin): Promise<string> {
  const text = (await source(argument, what, stdin)).trim();
  if (text !== '') return text;
  throw new DtkdError('BAD_REQUEST', `the ${what} is empty`, {
    next: `Give the ${what} itself, - to read it from standard input, or @FILE to read it from a file.`,
  });
}

async function source(argument: string, what: string, stdin: Readable & { isTTY?: boolean }): Promise<string> {
  if (argument === '-') {
    if (stdin.isTTY === true) process.stderr.write(`Paste the ${what} and press Enter: `);
    return readCapped(stdin, what, stdin.isTTY === true);
  }
  if (!argument.startsWith('@')) {
    if (await isFile(argument)) {
      throw new DtkdError('BAD_REQUEST', `${argument} is a file: write @ before its name to read the ${what} from it`, {
        next: `Write: ${shellWord(`@${argument}`)}`,
      });
    }
    return argument;
  }
  const file = argument.slice(1);
  try {
    return await readCapped(createReadStream(file), what, false);
  } catch (error) {
    throw cannotRead(`the ${what} from ${file}`, error);
  }
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

async function readCapped(stream: Readable, what: string, oneLine: boolean): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of stream) {
    const bytes = Buffer.from(part);
    size += bytes.length;
    if (size > MAX_SECRET_BYTES)
      throw new DtkdError('TOO_LARGE', `that is not a valid ${what}: it is larger than ${MAX_SECRET_BYTES} bytes`);
    parts.push(bytes);
    if (oneLine && bytes.includes(0x0a)) break;
  }
  return Buffer.concat(parts).toString('utf8');
}
