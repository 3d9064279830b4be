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
  /** Its value may be the name of a file. */
  files?: boolean;
}

/** What completion scripts are made of, whatever the shell. */
export interface CompletionNode {
  /** Words of the command, without `dtkd`. */
  path: readonly string[];
  children: readonly { name: string; summary: string }[];
  flags: readonly CompletionFlag[];
  /**
   * What the first argument is: a kind and then names; a kind alone; names of objects of one kind; or fixed words. `second`: the second one is what
   * `dtkd ctl --list` answers to this word. `within`: the second one, or all after the first, is what `dtkd service show FIRST --list` answers to this
   * word. `list`: the first one is what these words of dtkd answer.
   */
  argument:
    | 'object'
    | 'kind'
    | { objects: string; within?: string; many?: boolean }
    | { words: readonly string[] }
    | { second: string }
    | { list: string }
    | undefined;
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
