import { DtkdError } from '../../protocol/errors.ts';
import { textAt } from '../json.ts';

/** Asks at the terminal; anything but y or yes is no. Errors: BAD_REQUEST if there is no terminal. */
export async function confirm(question: string): Promise<boolean> {
  if (process.stdin.isTTY !== true || process.stderr.isTTY !== true) {
    throw new DtkdError('BAD_REQUEST', 'this must be confirmed, and there is no terminal to ask at', {
      next: 'Add --yes to do it without asking, or --dry-run to see what it would do.',
    });
  }
  const { createInterface } = await import('node:readline/promises');
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  const closed = new AbortController();
  reader.once('close', () => closed.abort());
  try {
    const answer = await reader.question(`${question} [y/N] `, { signal: closed.signal });
    return /^y(es)?$/i.test(answer.trim());
  } catch (error) {
    // Ctrl-C or Ctrl-D means no
    if (textAt(error, 'name') !== 'AbortError') throw error;
    process.stderr.write('\n');
    return false;
  } finally {
    reader.close();
  }
}
