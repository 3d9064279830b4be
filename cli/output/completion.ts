/**
 * Completion scripts. Each is static but for the names of objects, which it asks of the daemon with `dtkd get KIND -o name`. All three are
 * the same machine in different dialects: find the command that the words lead to, then offer its children, flags, kinds or names.
 */
export type Shell = 'bash' | 'zsh' | 'fish';

export interface CompletionNode {
  /** Words of the command, without `dtkd`. */
  path: readonly string[];
  children: readonly { name: string; summary: string }[];
  flags: readonly { name: string; summary: string; takesValue: boolean; choices: readonly string[] }[];
  /** What the first argument is: a kind and then names; a kind alone; names of objects of one kind; or fixed words. */
  argument: 'object' | 'kind' | { objects: string } | { words: readonly string[] } | undefined;
}

/** The script for a shell. */
export function completionScript(shell: Shell, nodes: readonly CompletionNode[], kinds: readonly string[]): string {
  if (shell === 'fish') return fishScript(nodes, kinds);
  const core = posixCore(nodes, kinds);
  return shell === 'bash' ? core + BASH_GLUE : `#compdef dtkd\n${core}${ZSH_GLUE}`;
}

const HEADER = '# Completion for dtkd; made by "dtkd completion".\n';

function key(node: CompletionNode): string {
  return node.path.join(' ');
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Functions that bash and zsh share: each answers for a command path with words on lines. */
function posixCore(nodes: readonly CompletionNode[], kinds: readonly string[]): string {
  const cases = (wordsOf: (node: CompletionNode) => readonly string[]): string =>
    nodes
      .map((node) => ({ node, words: wordsOf(node) }))
      .filter(({ words }) => words.length > 0)
      .map(({ node, words }) => `    ${quote(key(node))}) printf '%s\\n' ${words.map(quote).join(' ')} ;;`)
      .join('\n');
  const root = nodes.find((node) => node.path.length === 0);
  const globals = root?.flags.map((flag) => flag.name) ?? [];
  const valueFlags = [...new Set(nodes.flatMap((node) => node.flags.filter((flag) => flag.takesValue).map((flag) => flag.name)))];
  const choices = new Map(
    nodes.flatMap((node) =>
      node.flags.filter((flag) => flag.choices.length > 0).map((flag) => [`${key(node)} ${flag.name}`, flag.choices]),
    ),
  );
  return `${HEADER}
__dtkd_children() {
  case "$1" in
${cases((node) => node.children.map((child) => child.name))}
  esac
}

__dtkd_flags() {
  printf '%s\\n' ${globals.map(quote).join(' ')} --help
  case "$1" in
${cases((node) => (node.path.length === 0 ? [] : node.flags.map((flag) => flag.name)))}
  esac
}

__dtkd_choices() {
  case "$1 $2" in
${[...choices].map(([where, words]) => `    ${quote(where)}) printf '%s\\n' ${words.map(quote).join(' ')} ;;`).join('\n')}
  esac
}

__dtkd_takes_value() {
  case "$1" in
    ${valueFlags.map(quote).join('|')}|-n|-o|-l|-f|-p|-X|-d|-H) return 0 ;;
  esac
  return 1
}

__dtkd_kinds() {
  printf '%s\\n' ${kinds.map(quote).join(' ')}
}

__dtkd_names() {
  dtkd get "$1" -o name 2>/dev/null | sed 's|.*/||'
}

# Words for the argument of command $1 after the arguments $2...
__dtkd_arguments() {
  local at="$1"; shift
  case "$at" in
${argumentCases(nodes)}
  esac
}

# Everything that may stand next: $1 is the word begun, $2 the word before it, the rest all complete words.
__dtkd_next() {
  local cur="$1" prev="$2"; shift 2
  local at="" word skip=0
  local -a args
  args=()
  for word in "$@"; do
    if [ "$skip" = 1 ]; then skip=0; continue; fi
    case "$word" in
      -*) if __dtkd_takes_value "$word"; then skip=1; fi; continue ;;
    esac
    if __dtkd_children "$at" | grep -qxF -- "$word"; then
      at="\${at:+$at }$word"
    else
      args+=("$word")
    fi
  done
  case "$prev" in -o) prev=--output ;; esac
  local offered
  offered="$(__dtkd_choices "$at" "$prev")"
  if [ -n "$offered" ]; then printf '%s\\n' "$offered"; return; fi
  if __dtkd_takes_value "$prev"; then return; fi
  case "$cur" in
    -*) __dtkd_flags "$at" ;;
    *) __dtkd_children "$at"; __dtkd_arguments "$at" "\${args[@]}" ;;
  esac
}
`;
}

function argumentCases(nodes: readonly CompletionNode[]): string {
  return nodes
    .flatMap((node) => {
      const { argument } = node;
      if (argument === undefined) return [];
      const first = (command: string): string => `    ${quote(key(node))}) [ $# -eq 0 ] && ${command} ;;`;
      if (argument === 'kind') return [first('__dtkd_kinds')];
      if (argument === 'object') return [`    ${quote(key(node))}) if [ $# -eq 0 ]; then __dtkd_kinds; else __dtkd_names "$1"; fi ;;`];
      if ('objects' in argument) return [first(`__dtkd_names ${argument.objects}`)];
      return [first(`printf '%s\\n' ${argument.words.map(quote).join(' ')}`)];
    })
    .join('\n');
}

const BASH_GLUE = `
_dtkd() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}"
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "$(__dtkd_next "$cur" "$prev" "\${COMP_WORDS[@]:1:COMP_CWORD-1}")" -- "$cur"))
}
complete -o default -F _dtkd dtkd
`;

const ZSH_GLUE = `
_dtkd() {
  local -a offered
  offered=("\${(@f)$(__dtkd_next "\${words[CURRENT]}" "\${words[CURRENT-1]}" "\${(@)words[2,CURRENT-1]}")}")
  compadd -a offered || _files
}
if [ "\${funcstack[1]}" = "_dtkd" ]; then _dtkd "$@"; else compdef _dtkd dtkd; fi
`;

/** fish has its own way: one `complete` line for each thing offered, with its description. */
function fishScript(nodes: readonly CompletionNode[], kinds: readonly string[]): string {
  const lines = [HEADER, fishCore(nodes, kinds), 'complete -c dtkd -f'];
  for (const node of nodes) {
    const condition = node.path.length === 0 ? '' : ` -n ${quote(`__dtkd_at ${quote(key(node))}`)}`;
    const here = node.path.length === 0 ? ` -n ${quote("__dtkd_at ''")}` : condition;
    for (const child of node.children) lines.push(`complete -c dtkd${here} -a ${quote(child.name)} -d ${quote(child.summary)}`);
    for (const flag of node.flags) {
      const value = flag.takesValue ? ` -r${flag.choices.length > 0 ? ` -a ${quote(flag.choices.join(' '))}` : ''}` : '';
      lines.push(`complete -c dtkd${condition} -l ${flag.name.replace(/^-+/, '')}${value} -d ${quote(flag.summary)}`);
    }
    const words = fishArgument(node);
    if (words !== undefined) lines.push(`complete -c dtkd${here} -a ${quote(words)}`);
  }
  return `${lines.join('\n')}\n`;
}

function fishArgument({ argument }: CompletionNode): string | undefined {
  if (argument === undefined) return undefined;
  if (argument === 'kind') return '(__dtkd_kinds)';
  if (argument === 'object') return '(__dtkd_objects)';
  return 'objects' in argument ? `(__dtkd_names ${argument.objects})` : argument.words.join(' ');
}

function fishCore(nodes: readonly CompletionNode[], kinds: readonly string[]): string {
  const paths = nodes.filter((node) => node.path.length > 0).map((node) => quote(key(node)));
  return `set -g __dtkd_paths ${paths.join(' ')}

# The complete words of the command line that are no flags.
function __dtkd_words
    for word in (commandline -opc)[2..-1]
        string match -q -- '-*' $word; or echo $word
    end
end

# The command that the words lead to.
function __dtkd_path
    set -l at
    for word in (__dtkd_words)
        set -l longer (string trim -- "$at $word")
        contains -- $longer $__dtkd_paths; or break
        set at $longer
    end
    echo "$at"
end

function __dtkd_at
    test (__dtkd_path | string collect --allow-empty) = "$argv[1]"
end

function __dtkd_kinds
    printf '%s\\n' ${kinds.join(' ')}
end

function __dtkd_names
    dtkd get $argv[1] -o name 2>/dev/null | string replace -r '.*/' ''
end

# Kinds for the first argument, names of that kind after it.
function __dtkd_objects
    set -l words (__dtkd_words)
    if test (count $words) -le 1
        __dtkd_kinds
    else
        __dtkd_names $words[2]
    end
end
`;
}
