/**
 * Users' patterns, which are matched against what other users write, inside the writing transaction. RE2 matches in time linear in the
 * text, whatever the pattern, so that no pattern can block the daemon; in exchange it has no look-around and no back-references.
 */
import type { RE2JS } from 're2js';
import { DtkdError } from '../errors.ts';
import { writtenOut } from './pattern-size.ts';
import { MAX_MATCHED, type Pattern } from './property-value.ts';

/** Instructions of a compiled pattern. Matching takes at most this times the length of the text: some 30 ms for the longest one. */
const MAX_PROGRAM = 1_000;
/** Signs of an expanded pattern, beyond which it is not even compiled: far more than any pattern that would pass MAX_PROGRAM. */
const MAX_WRITTEN_OUT = 20 * MAX_PROGRAM;
/** Maximum number of cached patterns. */
const CACHED_PATTERNS = 512;

type Compiled = { pattern: Pattern } | { error: string };

const TOO_LARGE: Compiled = { error: 'is too large when its repetitions are written out' };

const compiled = new Map<string, Compiled>();
let library: Promise<typeof RE2JS> | undefined;

/** Compiles a pattern, or says what is wrong with it. Loads the library on first use. */
export async function compilePattern(source: string): Promise<Compiled> {
  const known = compiled.get(source);
  if (known !== undefined) return known;
  library ??= import('re2js').then((module) => module.RE2JS);
  const result = compile(await library, source);
  if (compiled.size >= CACHED_PATTERNS) compiled.clear();
  compiled.set(source, result);
  return result;
}

function compile(engine: typeof RE2JS, source: string): Compiled {
  if (writtenOut(source, MAX_WRITTEN_OUT) > MAX_WRITTEN_OUT) return TOO_LARGE;
  try {
    const program = engine.compile(source);
    if (program.programSize() > MAX_PROGRAM) return TOO_LARGE;
    return { pattern: { matches: (text) => text.length <= MAX_MATCHED && program.testExact(text) } };
  } catch (error) {
    return { error: `is not a valid regular expression (RE2): ${reasonOf(error)}` };
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error))
    throw new DtkdError('INTERNAL', 'the pattern library threw something that is not an error', { cause: error });
  return error.message.replace(/^error parsing regexp: /, '').slice(0, 200);
}
