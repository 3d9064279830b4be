import { DtkdError, type ErrorCode } from '../../protocol/errors.ts';

/** Writes that come between reading and writing are rare; more of them in a row mean that something else is wrong. */
const ATTEMPTS = 5;

/** Reads, changes and writes again while somebody else wrote in between. `raced`: the refusals that say so. Errors: those of `write`. */
export async function whileRaced<T>(write: () => Promise<T>, raced: readonly ErrorCode[] = ['CONFLICT']): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await write();
    } catch (error) {
      if (!(error instanceof DtkdError) || !raced.includes(error.code) || attempt >= ATTEMPTS) throw error;
    }
  }
}
