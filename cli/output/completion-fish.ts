import { type CompletionFlag, type CompletionNode, HEADER, key, type Offer, quote, valueFlagsOf } from './completion-tree.ts';

/** The fish script: one `complete` line for each thing offered, with its description. */
export function fishScript(nodes: readonly CompletionNode[], kinds: readonly string[]): string {
  const lines = [HEADER, fishCore(nodes, kinds), 'complete -c dtkd -f'];
  for (const node of nodes) {
    const condition = node.path.length === 0 ? '' : ` -n ${quote(`__dtkd_at ${quote(key(node))}`)}`;
    const here = node.path.length === 0 ? ` -n ${quote("__dtkd_at ''")}` : condition;
    for (const child of node.children) lines.push(`complete -c dtkd${here} -a ${quote(child.name)} -d ${quote(child.summary)}`);
    for (const flag of node.flags) {
      const words = valuesOf(flag);
      const value = flag.takesValue ? (words === '' ? (flag.files === true ? ' -r -F' : ' -x') : ` -x -a ${quote(words)}`) : '';
      lines.push(
        `complete -c dtkd${condition} -l ${bare(flag.name)}${flag.short === undefined ? '' : ` -s ${bare(flag.short)}`}${value} -d ${quote(flag.summary)}`,
      );
    }
    const last = node.arguments.length - 1;
    node.arguments.forEach((offer, at) => {
      if (offer === undefined) return;
      const place = `__dtkd_at ${quote(key(node))}; and __dtkd_place ${at === last && node.many ? '-ge' : '-eq'} ${at}`;
      lines.push(`complete -c dtkd -n ${quote(place)} -a ${quote(fishOffer(offer))}`);
    });
    if (node.files === true) lines.push(`complete -c dtkd${here} -F`);
  }
  return `${lines.join('\n')}\n`;
}

function valuesOf({ list, names, object, choices }: CompletionFlag): string {
  if (object === true) return '(__dtkd_objects)';
  if (list !== undefined) return `(__dtkd_list ${list})`;
  return names === undefined ? choices.join(' ') : `(__dtkd_names ${names.objects} | string replace -r '^' '${names.before}')`;
}

/** A flag without its hyphens. */
function bare(flag: string): string {
  return flag.replace(/^-+/, '');
}

function fishOffer(offer: Offer): string {
  if (offer === 'kind') return '(__dtkd_kinds)';
  if (offer === 'object') return '(__dtkd_objects)';
  if (offer === 'named') return '(__dtkd_names (__dtkd_arguments)[1])';
  if ('list' in offer) return `(__dtkd_ask ${offer.list})`;
  if ('within' in offer) return `(__dtkd_ask service show (__dtkd_arguments)[1] --list ${offer.within})`;
  return 'objects' in offer ? `(__dtkd_names ${offer.objects})` : offer.words.join(' ');
}

function fishCore(nodes: readonly CompletionNode[], kinds: readonly string[]): string {
  const valueFlags = valueFlagsOf(nodes);
  const paths = nodes.filter((node) => node.path.length > 0).map((node) => quote(key(node)));
  return `set -g __dtkd_paths ${paths.join(' ')}

set -g __dtkd_value_flags ${valueFlags.map(quote).join(' ')}

# The complete words of the command line that are neither flags nor their values.
function __dtkd_words
    set -l skip no
    for word in (commandline -opc)[2..-1]
        if test $skip = yes
            set skip no
        else if string match -q -- '-*' $word
            contains -- $word $__dtkd_value_flags; and set skip yes
        else
            echo $word
        end
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
    set -l at (__dtkd_path)
    test "$at" = "$argv[1]"
end

function __dtkd_kinds
    printf '%s\\n' ${kinds.join(' ')}
end

# Asks the daemon that the line names. What stands behind "app curl" is for curl.
function __dtkd_ask
    set -l named
    set -l words
    set -l flag
    for word in (commandline -opc)[2..-1]
        set -l value $word
        if test -z "$flag"
            if string match -q -- '--*=*' $word
                set flag (string split -m 1 = -- $word)[1]
                set value (string split -m 1 = -- $word)[2]
            else if contains -- $word $__dtkd_value_flags
                set flag $word
                continue
            else
                string match -q -- '-*' $word; or set -a words $word
                test "$words" = 'app curl'; and break
                continue
            end
        end
        set -l path (string replace -r '^~/' "$HOME/" -- $value)
        switch $flag
            case --url
                set -a named DTKD_URL=$value
            case --token
                set -a named DTKD_TOKEN=$value
            case --data
                set -a named DTKD_DATA=$path
            case --ca
                set -a named DTKD_CA=$path
        end
        set flag
    end
    env $named dtkd $argv 2>/dev/null
end

function __dtkd_names
    __dtkd_ask get $argv[1] -o name | string replace -r '.*/' ''
end

# Values of the flag that was written last, as the rest of the command line has them.
function __dtkd_list
    set -l words (commandline -opc)
    $words[1..-2] --list $argv[1] 2>/dev/null
end

# The complete arguments of the command.
function __dtkd_arguments
    set -l at (string split -n ' ' -- (__dtkd_path))
    set -l words (__dtkd_words)
    set -e words[1..(count $at)]
    test (count $words) -gt 0; and printf '%s\\n' $words
end

# True if so many arguments stand there: -eq or -ge, and a number.
function __dtkd_place
    test (count (__dtkd_arguments)) $argv
end

# Kinds; of one that stands there with a slash, KIND/NAME.
function __dtkd_objects
    set -l begun (commandline -ct)
    if string match -q -- '*/*' $begun
        set -l kind (string split -m 1 / -- $begun)[1]
        __dtkd_names $kind | string replace -r '^' "$kind/"
    else
        __dtkd_kinds
    end
end
`;
}
