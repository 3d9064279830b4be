/**
 * Patterns of node filters and dispatches. They come from users, and are matched against what other nodes say of themselves. RE2 matches
 * in time linear in the text, whatever the pattern; in exchange it has no look-around and no back-references. Most patterns are names:
 * these, and `.*`, do not need the library, which is loaded for the first real expression.
 */
import type { RE2JS } from 're2js';
import { writtenOut } from '../definitions/pattern-size.ts';
import { DtkdError } from '../errors.ts';

/** Maximum instructions of a compiled pattern. Matching takes at most this times the length of the text. */
const MAX_PROGRAM = 500;
/** Signs of an expanded expression, beyond which it is not even compiled: far more than any that would pass MAX_PROGRAM. */
const MAX_WRITTEN_OUT = 20 * MAX_PROGRAM;
/** Maximum characters of a matched text: the longest property of a Node. With the largest program, a few milliseconds. */
const MAX_MATCHED = 1_024;

export interface Pattern {
  /** True if the whole text matches. False for a text longer than any that a node or resource has. */
  matches(text: string): boolean;
  /** Its cost, in instructions. */
  readonly size: number;
  /** It contains no metacharacters, so it matches only itself. */
  readonly literal: boolean;
}

/** What is wrong with a pattern: a sentence to follow its text, and the position if it is known. */
export interface PatternFault {
  error: string;
  at: number;
}

const TOO_LARGE: PatternFault = { error: 'is too large when its repetitions are written out', at: 0 };

let library: Promise<typeof RE2JS> | undefined;

/** Compiles an expression that must match a whole text. The caller compares texts that equal the expression's own text. */
export async function compilePattern(source: string, options: { ignoreCase: boolean }): Promise<Pattern | PatternFault> {
  if (source === '.*') return { matches: (text) => !text.includes('\n'), size: 1, literal: false };
  if (/^[^\\^$*+?()[\]{}|]*$/.test(source)) return dottedPattern(source, options);
  library ??= import('re2js').then((module) => module.RE2JS);
  return compile(await library, source, options.ignoreCase);
}

/** Handles names, including those with dots, each of which matches any one character. Lists of hundreds of names cost next to nothing. */
function dottedPattern(source: string, { ignoreCase }: { ignoreCase: boolean }): Pattern {
  const fold = (text: string) => (ignoreCase ? text.toLowerCase() : text);
  const wanted = fold(source);
  if (!wanted.includes('.')) return { matches: (text) => fold(text) === wanted, size: 1, literal: true };
  const matches = (text: string) => {
    const folded = fold(text);
    // A character may be two UTF-16 units.
    return SURROGATE.test(folded) ? fits([...wanted], [...folded]) : fits(wanted, folded);
  };
  return { matches, size: 1, literal: false };
}

const SURROGATE = /[\ud800-\udfff]/;

function fits(wanted: string | readonly string[], text: string | readonly string[]): boolean {
  if (wanted.length !== text.length) return false;
  for (let index = 0; index < wanted.length; index++) {
    const sign = wanted[index];
    if (sign !== text[index] && (sign !== '.' || text[index] === '\n')) return false;
  }
  return true;
}

function compile(engine: typeof RE2JS, source: string, ignoreCase: boolean): Pattern | PatternFault {
  if (writtenOut(source, MAX_WRITTEN_OUT) > MAX_WRITTEN_OUT) return TOO_LARGE;
  try {
    const program = engine.compile(source, ignoreCase ? engine.CASE_INSENSITIVE : 0);
    const size = program.programSize();
    if (size > MAX_PROGRAM) return TOO_LARGE;
    return { matches: (text) => text.length <= MAX_MATCHED && program.testExact(text), size, literal: false };
  } catch (error) {
    if (!(error instanceof Error))
      throw new DtkdError('INTERNAL', 'the pattern library threw something that is not an error', { cause: error });
    const piece = 'input' in error && typeof error.input === 'string' ? error.input : '';
    const reason = error.message.replace(/^error parsing regexp: /, '').slice(0, 200);
    return { error: `is not a valid regular expression (RE2): ${reason}`, at: Math.max(0, source.indexOf(piece)) };
  }
}
