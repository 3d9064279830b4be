/**
 * Reads the value of a Secret: typed without echo, from a file, or from standard input. Never from the command line, where others can see
 * it.
 */
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { DtkdError } from '../../protocol/errors.ts';
import { MAX_SECRET_BYTES } from '../../protocol/kinds/secret.ts';
import { readCapped } from './read-capped.ts';

export interface SecretSource {
  stdin?: Readable & { isTTY?: boolean };
  /** How to give this command a file, for its advice. */
  ofFile?: string;
}

/**
 * With `file`, its bytes unchanged. With `-`, or with none if standard input is not a terminal: standard input, without the final line end
 * that commands write. Otherwise asks for it.
 */
export async function readSecretValue(
  name: string,
  file: string | undefined,
  { stdin = process.stdin, ofFile = 'name a file with --from-file' }: SecretSource = {},
): Promise<string> {
  const value = await givenValue(name, file, stdin);
  if (value !== '') return value;
  // most often a pipe whose first command failed
  throw new DtkdError('BAD_REQUEST', `the value of ${name} is empty`, {
    next: `Type it, ${ofFile}, or write it to standard input.`,
  });
}

async function givenValue(name: string, file: string | undefined, stdin: Readable & { isTTY?: boolean }): Promise<string> {
  if (file !== undefined && file !== '-') return textOf(await readAll(createReadStream(file), file), file);
  if (stdin.isTTY === true && file === undefined) {
    const { askHidden } = await import('./hidden.ts');
    return askHidden(`Value of ${name} (not shown)`);
  }
  const text = textOf(await readAll(stdin, 'standard input'), 'standard input');
  return text.replace(/\r?\n$/, '');
}

function readAll(stream: Readable, source: string): Promise<Buffer> {
  // two more bytes for the line end of standard input
  return readCapped(stream, source, MAX_SECRET_BYTES + 2, `${source} has more than ${MAX_SECRET_BYTES} bytes`);
}

function textOf(bytes: Buffer, source: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new DtkdError('BAD_REQUEST', `${source} is not text`, { next: 'Encode it, e.g. with base64, and decode it in the command.' });
  }
}
