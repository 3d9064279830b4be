export interface CompletionFlag {
  name: string;
  short?: string;
  summary: string;
  takesValue: boolean;
  choices: readonly string[];
  /** The values come from the same command line with `--list` and this word. */
  list?: string;
  /** The values are names of objects of this kind, prefixed with `before`. */
  names?: { objects: string; before: string };
  /** The values are kinds, or KIND/NAME. */
  object?: true;
  /** The value may be a file name. */
  files?: boolean;
}

/**
 * What is offered for one argument. `kind`: a kind. `object`: a kind, or KIND/NAME. `named`: names of the kind in the first argument.
 * `objects`: names of objects of that kind. `words`: these words. `list`: the output of dtkd with these words. `within`: the output of
 * `dtkd service show FIRST --list` with this word.
 */
export type Offer =
  | 'kind'
  | 'object'
  | 'named'
  | { objects: string }
  | { words: readonly string[] }
  | { list: string }
  | { within: string };

/** A command as completion scripts are generated from it, for any shell. */
export interface CompletionNode {
  /** Words of the command, without `dtkd`. */
  path: readonly string[];
  children: readonly { name: string; summary: string }[];
  flags: readonly CompletionFlag[];
  /** What is offered for each argument; undefined: nothing. */
  arguments: readonly (Offer | undefined)[];
  /** True if the last argument may be repeated. */
  many: boolean;
  /** True if arguments may be file names. */
  files?: boolean;
}

export const HEADER = '# Completion for dtkd; made by "dtkd completion".\n';

/** The words of a command as the scripts compare them. */
export function key(node: CompletionNode): string {
  return node.path.join(' ');
}

/** Quotes text as one word for the shell. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Flags that take a value: the word after them is neither a command nor an argument. */
export function valueFlagsOf(nodes: readonly CompletionNode[]): string[] {
  const flags = nodes.flatMap((node) => node.flags.filter((flag) => flag.takesValue));
  return [...new Set(flags.flatMap(({ name, short }) => (short === undefined ? [name] : [name, short])))];
}
