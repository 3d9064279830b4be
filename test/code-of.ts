import { DtkdError } from '../protocol/errors.ts';

/** The code of the error that something throws; `none` if it throws nothing. Other errors pass. */
export function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof DtkdError) return error.code;
    throw error;
  }
  return 'none';
}
