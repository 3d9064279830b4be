import { type CompletionNode, HEADER, key, type Offer, quote, valueFlagsOf } from './completion-tree.ts';

/** The functions that bash and zsh share. Each prints the words for a command path, one per line. */
export function posixCore(nodes: readonly CompletionNode[], kinds: readonly string[]): string {
  const cases = (wordsOf: (node: CompletionNode) => readonly string[]): string =>
    nodes
      .map((node) => ({ node, words: wordsOf(node) }))
      .filter(({ words }) => words.length > 0)
      .map(({ node, words }) => `    ${quote(key(node))}) printf '%s\\n' ${words.map(quote).join(' ')} ;;`)
      .join('\n');
  const root = nodes.find((node) => node.path.length === 0);
  const globals = root?.flags.map((flag) => flag.name) ?? [];
  const valueFlags = valueFlagsOf(nodes);
  const choices = new Map(
    nodes.flatMap((node) =>
      node.flags.filter((flag) => flag.choices.length > 0).map((flag) => [`${key(node)} ${flag.name}`, flag.choices]),
    ),
  );
  const lists = nodes.flatMap((node) =>
    node.flags.flatMap(({ name, short, list }) =>
      list === undefined ? [] : [name, ...(short === undefined ? [] : [short])].map((flag) => [`${key(node)} ${flag}`, list] as const),
    ),
  );
  const named = nodes.flatMap((node) =>
    node.flags.flatMap((flag) => {
      const { name, short, names } = flag;
      const command =
        flag.object === true
          ? '__dtkd_objects'
          : names && `__dtkd_names ${quote(names.objects)}${names.before === '' ? '' : ` | sed ${quote(`s/^/${names.before}/`)}`}`;
      const where = [name, ...(short === undefined ? [] : [short])].map((word) => `${key(node)} ${word}`);
      return command === undefined ? [] : where.map((at) => [at, command] as const);
    }),
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

# What "--list" is asked for to get the values of a flag.
__dtkd_list_of() {
  case "$1 $2" in
${lists.map(([where, list]) => `    ${quote(where)}) printf '%s' ${quote(list)} ;;`).join('\n')}
  esac
}

# Kinds; of one that stands there with a slash, KIND/NAME.
__dtkd_objects() {
  local kind="\${cur%%/*}" name
  case "$cur" in
    */*) __dtkd_names "$kind" | while IFS= read -r name; do printf '%s/%s\\n' "$kind" "$name"; done ;;
    *) __dtkd_kinds ;;
  esac
}

# Names that are values of a flag.
__dtkd_names_of() {
  case "$1 $2" in
${named.map(([where, command]) => `    ${quote(where)}) ${command} ;;`).join('\n')}
  esac
}

__dtkd_takes_value() {
  case "$1" in
    ${valueFlags.map(quote).join('|')}) return 0 ;;
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

# The daemon that the line names is asked for names. Runs where nothing stays exported.
__dtkd_take() {
  [ "$2" = = ] && return
  case "$1" in
    --url) export DTKD_URL="$2" ;;
    --token) export DTKD_TOKEN="$2" ;;
    --data) export DTKD_DATA="\${2/#\\~\\//$HOME/}" ;;
    --ca) export DTKD_CA="\${2/#\\~\\//$HOME/}" ;;
  esac
}

# Everything that may stand next: $1 is the word begun, $2 the word before it, the rest all complete words.
__dtkd_next() {
  local cur="$1" prev="$2"; shift 2
  local at="" word flag="" skip=0
  local -a args
  args=()
  for word in "$@"; do
    if [ "$skip" = 1 ]; then skip=0; [ "$at" = 'app curl' ] || __dtkd_take "$flag" "$word"; continue; fi
    case "$word" in
      --*=*) [ "$at" = 'app curl' ] || __dtkd_take "\${word%%=*}" "\${word#*=}"; continue ;;
      -*) if __dtkd_takes_value "$word"; then skip=1; flag="$word"; fi; continue ;;
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
  offered="$(__dtkd_list_of "$at" "$prev")"
  if [ -n "$offered" ]; then dtkd "\${@:1:$(($# - 1))}" --list "$offered" 2>/dev/null; return; fi
  if __dtkd_takes_value "$prev"; then __dtkd_names_of "$at" "$prev"; return; fi
  case "$cur" in
    -*) __dtkd_flags "$at" ;;
    *) __dtkd_children "$at"; __dtkd_arguments "$at" "\${args[@]}" ;;
  esac
}
`;
}

/** For each command, a case by the number of arguments before the cursor. */
function argumentCases(nodes: readonly CompletionNode[]): string {
  return nodes
    .flatMap((node) => {
      const last = node.arguments.length - 1;
      const places = node.arguments.flatMap((offer, at) =>
        offer === undefined ? [] : [`${at === last && node.many ? '*' : at}) ${commandFor(offer)} ;;`],
      );
      return places.length === 0 ? [] : [`    ${quote(key(node))}) case $# in ${places.join(' ')} esac ;;`];
    })
    .join('\n');
}

function commandFor(offer: Offer): string {
  if (offer === 'kind') return '__dtkd_kinds';
  if (offer === 'object') return '__dtkd_objects';
  if (offer === 'named') return '__dtkd_names "$1"';
  if ('list' in offer) return `dtkd ${offer.list} 2>/dev/null`;
  if ('within' in offer) return `dtkd service show "$1" --list ${offer.within} 2>/dev/null`;
  if ('objects' in offer) return `__dtkd_names ${offer.objects}`;
  return `printf '%s\\n' ${offer.words.map(quote).join(' ')}`;
}

// bash splits words at : = and @; this joins what stands together in the line, and drops from the answers the part that is already typed
export const BASH_GLUE = `
_dtkd() {
  local IFS=$'\\n' word i last=-1
  local rest="\${COMP_LINE#*"\${COMP_WORDS[0]}"}"
  local -a words
  words=()
  for ((i = 1; i <= COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    if [ "$last" -lt 0 ] || [[ "$rest" == [[:space:]]* ]]; then
      rest="\${rest#"\${rest%%[![:space:]]*}"}"
      words+=("$word")
      last=$((last + 1))
    else
      words[last]="\${words[last]}$word"
    fi
    rest="\${rest#"$word"}"
  done
  local cur="\${words[last]}" begun="\${COMP_WORDS[COMP_CWORD]}" prev=dtkd
  if [ "$last" -gt 0 ]; then prev="\${words[last-1]}"; fi
  case "$begun" in [:=@]) begun="" ;; esac
  local there="\${cur%"$begun"}"
  COMPREPLY=($(compgen -W "$(__dtkd_next "$cur" "$prev" "\${words[@]:0:last}")" -- "$cur"))
  COMPREPLY=("\${COMPREPLY[@]#"$there"}")
  case "\${COMPREPLY[0]-}" in *=) [ "\${#COMPREPLY[@]}" = 1 ] && compopt -o nospace 2>/dev/null ;; esac
  return 0
}
complete -o default -F _dtkd dtkd
`;

export const ZSH_GLUE = `
_dtkd() {
  local -a offered
  offered=(\${(f)"$(__dtkd_next "\${words[CURRENT]}" "\${words[CURRENT-1]}" "\${(@)words[2,CURRENT-1]}")"})
  if (( \${#offered} )); then compadd -a offered; else _files; fi
}
if [ "\${funcstack[1]}" = "_dtkd" ]; then _dtkd "$@"; else compdef _dtkd dtkd; fi
`;
