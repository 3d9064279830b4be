/**
 * The output of a part, on disk and on the wire: a sequence of records, each a 4-byte big-endian length and CBOR. An offset counts bytes
 * of the spool and always lies between two records; a reader that continues at the offset it had reached gets everything after it exactly
 * once.
 */
import { z } from 'zod';
import { LOG_LEVELS } from './words.ts';

/** Maximum bytes of a record: a chunk of output of 32 KiB, and the fields around it. */
export const MAX_RECORD_BYTES = 40 * 1024;
export const OUTPUT_CHUNK_BYTES = 32 * 1024;

export { LOG_LEVELS, type LogLevel } from './words.ts';

export const outputRecord = z.object({
  /** Milliseconds since the epoch, at the target. */
  t: z.number(),
  /** out, err: what the process wrote. log: what dtkd says about it. */
  s: z.enum(['out', 'err', 'log']),
  /** Number of the script in the part, from 1 in the order of starts. 0: dtkd's own lines about the part. */
  n: z.number().int().nonnegative(),
  /** The command or step that it belongs to. */
  c: z.string().max(128),
  /** Level, only for `log`. */
  l: z.enum(LOG_LEVELS).optional(),
  /** The bytes as written, with secrets masked; for `log`, UTF-8. */
  d: z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'must be bytes'),
});
export type OutputRecord = z.infer<typeof outputRecord>;
