/** Options of a command as people write them: `-opt value` and `-flag` after `--` of `ctl`, or `--set NAME=VALUE` of `run`. Pure. */
import { DtkdError } from '../../protocol/errors.ts';

/** One or two dashes and a letter: `-5` is a value. */
const OPTION = /^--?([A-Za-z][A-Za-z0-9_-]*)(?:=([\s\S]*))?$/;

/**
 * Parses options out of single-dash words. One without a value is a flag: `true`. A value that begins with a dash and a letter is written
 * `-opt=-value`.
 */
export function optionsOfWords(words: readonly string[]): Record<string, string> {
  const options = new Map<string, string>();
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    const match = OPTION.exec(word);
    if (match === null) {
      throw new DtkdError('BAD_REQUEST', `"${word.slice(0, 120)}" is not an option of a command`, {
        next: 'Write the options of the command after --, e.g.: -- -port 8080 -verbose',
      });
    }
    const following = words[at + 1];
    const separate = match[2] === undefined && following !== undefined && !OPTION.test(following);
    if (separate) at += 1;
    add(options, match[1] ?? '', match[2] ?? (separate ? following : 'true'));
  }
  return Object.fromEntries(options);
}

/** Names of options that were written without a value. */
export function flagsOfWords(words: readonly string[]): string[] {
  return words.flatMap((word, at) => {
    const match = OPTION.exec(word);
    const following = words[at + 1];
    const bare = match !== null && match[2] === undefined && (following === undefined || OPTION.test(following));
    return bare ? [match[1] ?? ''] : [];
  });
}

/**
 * Refuses options without a value that are not flags: a forgotten value must not become the text `true`. `typeOf`: the type of an option of
 * the command, undefined if it has none of that name.
 */
export function assertFlags(names: readonly string[], typeOf: (name: string) => string | undefined): void {
  for (const name of names) {
    const type = typeOf(name);
    if (type === undefined || type === 'boolean') continue;
    throw new DtkdError('BAD_REQUEST', `the option "${name}" (${type}) has no value`, {
      next: `Write: -${name} VALUE, or -${name}=-VALUE if the value begins with a dash.`,
    });
  }
}

/** Parses options out of NAME=VALUE. */
export function optionsOfPairs(pairs: readonly string[]): Record<string, string> {
  const options = new Map<string, string>();
  for (const pair of pairs) {
    const [name, value] = splitPair(pair, 'NAME=VALUE');
    add(options, name, value);
  }
  return Object.fromEntries(options);
}

/** Splits at the first `=`. */
export function splitPair(pair: string, form: string): [string, string] {
  const at = pair.indexOf('=');
  if (at > 0) return [pair.slice(0, at), pair.slice(at + 1)];
  throw new DtkdError('BAD_REQUEST', `"${pair.slice(0, 120)}" is not ${form}`, { next: 'Put one = between the name and its value.' });
}

function add(options: Map<string, string>, name: string, value: string): void {
  if (options.has(name)) throw new DtkdError('BAD_REQUEST', `the option "${name.slice(0, 80)}" is given twice`);
  options.set(name, value);
}
