/**
 * Patterns of node filters and of dispatches. They come from users and are tried on what other nodes say of themselves. RE2 matches in time
 * linear in the text, whatever the pattern; in exchange it has no look-around and no back-references. Most patterns are names: these, and
 * `.*`, need no library, which is loaded when the first real expression is met.
 */
import type { RE2JS } from 're2js';
import { writtenOut } from '../definitions/pattern-size.ts';
import { DtkdError } from '../errors.ts';

/** Instructions of a compiled pattern: time to match is at most this times the length of the text. */
const MAX_PROGRAM = 500;
/** Signs of an expression with its repetitions written out, beyond which it is not even compiled: far more than any that is small enough then. */
const MAX_WRITTEN_OUT = 20 * MAX_PROGRAM;
/** Characters of a text that is matched: the longest property of a Node. With the largest program a few milliseconds. */
const MAX_MATCHED = 1_024;

export interface Pattern {
  /** True if the whole text matches. False for a text longer than any that a node or resource has. */
  matches(text: string): boolean;
  /** What it may cost, in instructions. */
  readonly size: number;
  /** It has no signs of expressions: it is its own text. */
  readonly literal: boolean;
}

/** What is wrong with a pattern: a sentence that goes on after its name, and where in it, if that is known. */
export interface PatternFault {
  error: string;
  at: number;
}

const TOO_LARGE: PatternFault = { error: 'is too large when its repetitions are written out', at: 0 };

let library: Promise<typeof RE2JS> | undefined;

/** Compiles an expression that a whole text has to match. A text that is the expression itself, letter by letter, is for the caller to compare. */
export async function compilePattern(source: string, options: { ignoreCase: boolean }): Promise<Pattern | PatternFault> {
  if (source === '.*') return { matches: (text) => !text.includes('\n'), size: 1, literal: false };
  if (/^[^\\^$*+?()[\]{}|]*$/.test(source)) return dottedPattern(source, options);
  library ??= import('re2js').then((module) => module.RE2JS);
  return compile(await library, source, options.ignoreCase);
}

/** Names, also those with dots, of which each stands for any one character. Lists of hundreds of them cost next to nothing. */
function dottedPattern(source: string, { ignoreCase }: { ignoreCase: boolean }): Pattern {
  const fold = (text: string) => (ignoreCase ? text.toLowerCase() : text);
  const wanted = fold(source);
  if (!wanted.includes('.')) return { matches: (text) => fold(text) === wanted, size: 1, literal: true };
  const matches = (text: string) => {
    const folded = fold(text);
    // A character may be two units.
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
    if (!(error instanceof Error)) throw new DtkdError('INTERNAL', 'the pattern library threw what is no error', { cause: error });
    const piece = 'input' in error && typeof error.input === 'string' ? error.input : '';
    const reason = error.message.replace(/^error parsing regexp: /, '').slice(0, 200);
    return { error: `is not a regular expression that RE2 takes: ${reason}`, at: Math.max(0, source.indexOf(piece)) };
  }
}
