export interface CompletionFlag {
  name: string;
  short?: string;
  summary: string;
  takesValue: boolean;
  choices: readonly string[];
  /** Its values are what the same command line answers to `--list` with this word. */
  list?: string;
  /** Its values are names of objects of this kind, each with these words before it. */
  names?: { objects: string; before: string };
  /** Its values are kinds, or KIND/NAME. */
  object?: true;
  /** Its value may be the name of a file. */
  files?: boolean;
}

/**
 * What may stand at one place. `kind`: a kind. `object`: a kind, or KIND/NAME. `named`: names of the kind that the first argument is. `objects`: names
 * of objects of that kind. `words`: just these. `list`: what these words of dtkd answer. `within`: what `dtkd service show FIRST --list` answers to
 * this word.
 */
export type Offer =
  | 'kind'
  | 'object'
  | 'named'
  | { objects: string }
  | { words: readonly string[] }
  | { list: string }
  | { within: string };

/** What completion scripts are made of, whatever the shell. */
export interface CompletionNode {
  /** Words of the command, without `dtkd`. */
  path: readonly string[];
  children: readonly { name: string; summary: string }[];
  flags: readonly CompletionFlag[];
  /** What may stand at each place; nothing is offered where that is not known. */
  arguments: readonly (Offer | undefined)[];
  /** The last of them may be repeated. */
  many: boolean;
  /** Arguments may be names of files. */
  files?: boolean;
}

export const HEADER = '# Completion for dtkd; made by "dtkd completion".\n';

/** The words of a command as the scripts compare them. */
export function key(node: CompletionNode): string {
  return node.path.join(' ');
}

/** For the shell: one word, whatever is in it. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Flags after which a word is no command and no argument. */
export function valueFlagsOf(nodes: readonly CompletionNode[]): string[] {
  const flags = nodes.flatMap((node) => node.flags.filter((flag) => flag.takesValue));
  return [...new Set(flags.flatMap(({ name, short }) => (short === undefined ? [name] : [name, short])))];
}
