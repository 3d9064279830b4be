import type { Readable } from 'node:stream';
import { DtkdError } from '../../protocol/errors.ts';
import { textAt } from '../json.ts';

/** Reads a stream to its end. `tooLarge`: the message for more than `limit` bytes. Errors: BAD_REQUEST, TOO_LARGE. */
export async function readCapped(stream: Readable, what: string, limit: number, tooLarge: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for await (const part of stream) {
      const bytes = Buffer.from(part);
      size += bytes.length;
      if (size > limit) throw new DtkdError('TOO_LARGE', tooLarge);
      parts.push(bytes);
    }
  } catch (error) {
    throw cannotRead(what, error);
  }
  return Buffer.concat(parts);
}

/** Explains to people why a file cannot be read; returns a DtkdError unchanged. */
export function cannotRead(path: string, error: unknown): DtkdError {
  if (error instanceof DtkdError) return error;
  const code = textAt(error, 'code');
  const why =
    code === 'ENOENT'
      ? 'there is no such file'
      : code === 'EACCES'
        ? 'permission denied'
        : code === 'EISDIR'
          ? 'it is a directory'
          : (code ?? String(error));
  return new DtkdError('BAD_REQUEST', `cannot read ${path}: ${why}`, { next: 'Name a file that can be read here.', cause: error });
}
