import { DtkdError, type ErrorCode } from '../../protocol/errors.ts';

/** A write between our read and our write is rare; several in a row mean that something else is wrong. */
const ATTEMPTS = 5;

/**
 * Repeats a read, change and write that lost a race with another writer. `raced`: the error codes of a lost race. Errors: those of `write`.
 */
export async function whileRaced<T>(write: () => Promise<T>, raced: readonly ErrorCode[] = ['CONFLICT']): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await write();
    } catch (error) {
      if (!(error instanceof DtkdError) || !raced.includes(error.code) || attempt >= ATTEMPTS) throw error;
    }
  }
}
