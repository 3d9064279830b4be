import { Argument, type Command } from 'commander';
import { KINDS } from '../../protocol/kinds/index.ts';
import type { Cli } from '../cli.ts';
import { load } from '../lazy-commands.ts';
import { completionScript, type Shell } from '../output/completion.ts';
import type { CompletionNode } from '../output/completion-tree.ts';

const EXAMPLES = `
Install for good:
  dtkd completion bash > ~/.local/share/bash-completion/completions/dtkd
  dtkd completion zsh  > "\${fpath[1]}/_dtkd"
  dtkd completion fish > ~/.config/fish/completions/dtkd.fish

For this shell only:
  source <(dtkd completion bash)`;

/** Flags of `ctl` whose values it lists itself, each under the plural of its name. */
const CTL_LISTS = new Set(['--project', '--type', '--resource', '--command']);

/** Flags that choose nodes. */
const NODE_FILTERS = new Set(['--nodes', '--xnodes', '--on', '--not-on']);

/** Kinds of which the arguments of these commands name objects, by the first word of the command and the name of the argument. */
const NAMED_BY_ARGUMENT: Readonly<Record<string, string>> = {
  'converge service': 'serviceinstances',
  'executions id': 'executions',
  'module name': 'modules',
  'module names': 'modules',
  'module release': 'releases',
  'policy node': 'nodes',
  'secret name': 'secrets',
  'secret names': 'secrets',
  'service service': 'serviceinstances',
  'service task': 'tasks',
};

/** What `dtkd service show SERVICE --list` answers as the second argument of these commands. */
const WITHIN_SERVICE: Readonly<Record<string, string>> = {
  'add-link': 'components',
  'diff-module': 'modules',
  exec: 'actions',
  'pull-module': 'modules',
  'push-module': 'modules',
  'rm-component': 'components',
  'rm-link': 'components',
  rollback: 'commits',
  set: 'paths',
  unset: 'settings',
};

/** Flags whose values are names of objects, with what stands before each name, by the command. */
const NAMED_BY_FLAG: Readonly<Record<string, { objects: string; before: string }>> = {
  'stage --target': { objects: 'serviceinstances', before: '' },
};

/** How flags and arguments say that they are about files. */
const TAKES_FILE = /[<[](file|dir|directory)\b/;
const FILE_ARGUMENT = /^(file|directory|path|paths)$/;

const SHELLS = ['bash', 'zsh', 'fish'] as const;

export function configure(command: Command, cli: Cli): void {
  command
    .addArgument(new Argument('<shell>', 'your shell').choices(SHELLS))
    .addHelpText('after', EXAMPLES)
    .action(async (shell: Shell) => {
      const root = command.parent;
      if (root === null) return;
      const nodes: CompletionNode[] = [];
      await collect(root, []);
      const kinds = KINDS.flatMap((kind) => [kind.plural, kind.singular, ...kind.shortNames]);
      cli.out.print(completionScript(shell, nodes, [...new Set(kinds)].sort()).trimEnd());

      /** Every command has to say what it takes, so all of them are loaded here. */
      async function collect(node: Command, path: readonly string[]): Promise<void> {
        if (path.join(' ') !== 'completion') await load(node);
        nodes.push(describe(node, path));
        for (const child of node.commands) await collect(child, [...path, child.name()]);
      }
    });
}

function describe(command: Command, path: readonly string[]): CompletionNode {
  const options = command.options.filter((option) => !option.hidden);
  return {
    path,
    children: command.commands.map((child) => ({ name: child.name(), summary: child.description() })),
    flags: options.map((option) => ({
      name: option.long ?? option.short ?? '',
      ...(option.short === undefined ? {} : { short: option.short }),
      summary: option.description,
      takesValue: option.required || option.optional,
      choices: option.argChoices ?? [],
      ...(TAKES_FILE.test(option.flags) ? { files: true } : {}),
      ...(path[0] === 'ctl' && CTL_LISTS.has(option.long ?? '') ? { list: `${(option.long ?? '').slice(2)}s` } : {}),
      ...namesOf(path, option.long ?? ''),
    })),
    argument: argumentOf(command, path),
    ...(path[0] === 'cp' || command.registeredArguments.some((argument) => FILE_ARGUMENT.test(argument.name())) ? { files: true } : {}),
  };
}

function namesOf(path: readonly string[], flag: string): Pick<CompletionNode['flags'][number], 'names'> {
  // what a grant is on are objects, not nodes
  const filters = NODE_FILTERS.has(flag) && path[0] !== 'grant';
  const nodes = flag === '--namespace' ? '' : filters ? 'name=' : undefined;
  const names = nodes === undefined ? NAMED_BY_FLAG[`${path[0]} ${flag}`] : { objects: 'nodes', before: nodes };
  return names === undefined ? {} : { names };
}

/** What the first argument of a command names. */
function argumentOf(command: Command, path: readonly string[]): CompletionNode['argument'] {
  const first = command.registeredArguments[0];
  if (first === undefined) return undefined;
  if (first.argChoices !== undefined) return { words: first.argChoices };
  const name = first.name();
  if (name.startsWith('kind')) return path[0] === 'explain' ? 'kind' : 'object';
  if (name === 'app' || (path[0] === 'app' && path[1] === 'rm')) return { objects: 'dtapps' };
  // which commands there are depends on the resource, which comes after
  if (path[0] === 'run') return { second: 'resources' };
  if (path[0] === 'stage') return { list: 'stage - --list assemblies' };
  const objects = NAMED_BY_ARGUMENT[`${path[0]} ${name}`];
  const within = objects === 'serviceinstances' ? WITHIN_SERVICE[path[1] ?? ''] : undefined;
  if (objects !== undefined && within !== undefined) {
    return { objects, within, many: command.registeredArguments[1]?.variadic === true };
  }
  if (objects !== undefined) return { objects };
  return path[0] === 'domain' && name === 'name' && path[1] !== 'create' ? { objects: 'dtdomains' } : undefined;
}
