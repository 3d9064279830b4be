import { DtkdError } from '../../protocol/errors.ts';

/** The name of a bundle file. Elsewhere `-` is standard input or output: here a file of that name would be made, or an old one be read. */
export function bundleFile(name: string): string {
  if (name !== '-') return name;
  throw new DtkdError('BAD_REQUEST', 'a bundle is written to a file and read from one, not from a pipe', { next: 'Name a file.' });
}
