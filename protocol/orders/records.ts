/**
 * Output of a part as it is spooled and travels: records, one after another, each a 4-byte big-endian length and CBOR. An offset is a number of
 * bytes of the spool, always between two records; a reader that comes back with the offset it had reached gets all that follows, once.
 */
import { z } from 'zod';
import { LOG_LEVELS } from './words.ts';

/** Bytes of one record at most: a chunk of output of 32 KiB, and what surrounds it. */
export const MAX_RECORD_BYTES = 40 * 1024;
export const OUTPUT_CHUNK_BYTES = 32 * 1024;

export { LOG_LEVELS, type LogLevel } from './words.ts';

export const outputRecord = z.object({
  /** Milliseconds since the epoch, at the target. */
  t: z.number(),
  /** out, err: what the process wrote. log: what dtkd says of it. */
  s: z.enum(['out', 'err', 'log']),
  /** Number of the step in the part, from 1, as it was started; 0: the part itself. */
  n: z.number().int().nonnegative(),
  /** The command or step that it comes from. */
  c: z.string().max(128),
  /** Of `log`. */
  l: z.enum(LOG_LEVELS).optional(),
  /** Bytes as they were written (secrets masked); of `log`, UTF-8. */
  d: z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'must be bytes'),
});
export type OutputRecord = z.infer<typeof outputRecord>;
