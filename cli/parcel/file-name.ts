import { DtkdError } from '../../protocol/errors.ts';

/**
 * Checks the name of a bundle file. `-` is refused: elsewhere it means standard input or output, but here it would be a file of that name.
 */
export function bundleFile(name: string): string {
  if (name !== '-') return name;
  throw new DtkdError('BAD_REQUEST', 'a bundle is written to a file and read from one, not from a pipe', { next: 'Name a file.' });
}
