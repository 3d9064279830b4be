import { Argument, type Command } from 'commander';
import { KINDS } from '../../protocol/kinds/index.ts';
import type { Cli } from '../cli.ts';
import { load } from '../lazy-commands.ts';
import { completionScript, type Shell } from '../output/completion.ts';
import type { CompletionNode, Offer } from '../output/completion-tree.ts';

const EXAMPLES = `
Install for good:
  dtkd completion bash > ~/.local/share/bash-completion/completions/dtkd
  dtkd completion zsh  > "\${fpath[1]}/_dtkd"
  dtkd completion fish > ~/.config/fish/completions/dtkd.fish

For this shell only:
  source <(dtkd completion bash)`;

/** Flags of `ctl` that it completes with its own `--list`, each under the plural of its name. */
const CTL_LISTS = new Set(['--project', '--type', '--resource', '--command']);

/** Flags that choose nodes. */
const NODE_FILTERS = new Set(['--nodes', '--xnodes', '--on', '--not-on']);

/** Apps, users and trusts in the form that commands take: the names of their objects here may mean nothing to people. */
const APPS: Offer = { list: 'app ls --list names' };
const USERS: Offer = { list: 'user ls --list names' };
const TRUSTS: Offer = { list: 'trust ls --list names' };

/** What is offered for an argument, by the first word of the command and the name of the argument. */
const OFFERED: Readonly<Record<string, Offer>> = {
  'app app': APPS,
  'can what': 'object',
  'can who': USERS,
  'converge service': { objects: 'serviceinstances' },
  'executions id': { objects: 'executions' },
  'grant who': USERS,
  'model model': { objects: 'models' },
  'module name': { objects: 'modules' },
  'module names': { objects: 'modules' },
  'module release': { objects: 'releases' },
  'policy node': { objects: 'nodes' },
  'revoke what': { objects: 'capabilities' },
  // not restricted to commands of the resource
  'run command': { list: 'ctl --list commands' },
  'run resource': { list: 'ctl --list targets' },
  'secret name': { objects: 'secrets' },
  'secret names': { objects: 'secrets' },
  'service service': { objects: 'serviceinstances' },
  'service task': { objects: 'tasks' },
  'stage module:assembly': { list: 'stage - --list assemblies' },
  'trust on': 'object',
  'trust trust': TRUSTS,
  'trust trusts': TRUSTS,
  'trust users': USERS,
  'trust what': { objects: 'shares' },
};

/** The same for single commands, by all their words. */
const OFFERED_BY: Readonly<Record<string, Offer>> = {
  'app rm name': { list: 'app ls --list own' },
  'user rm names': { objects: 'users' },
  'user rotate name': { objects: 'users' },
};

/** The word for `dtkd service show SERVICE --list` that completes the second argument of these commands. */
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

/** Commands that take a kind and names of its objects. */
const OF_KIND: ReadonlySet<string> = new Set(['get', 'describe', 'edit', 'patch', 'delete', 'watch']);

/** Flags whose values are names of objects, by the first word of the command and the flag; `before` precedes each name. */
const NAMED_BY_FLAG: Readonly<Record<string, { objects: string; before: string }>> = {
  'app --domain': { objects: 'dtdomains', before: '' },
  'bundle --domain': { objects: 'dtdomains', before: '' },
  'grant --model': { objects: 'models', before: '' },
  'module --domain': { objects: 'dtdomains', before: '' },
  'run --model': { objects: 'models', before: '' },
  'stage --target': { objects: 'serviceinstances', before: '' },
  'trust --model': { objects: 'models', before: '' },
};

/** Recognise flags and arguments that take files. */
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

      /** Loads every command, since each one describes itself. */
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
      ...(path[0] === 'grant' && option.long === '--on' ? { object: true as const } : namesOf(path, option.long ?? '')),
    })),
    arguments: command.registeredArguments.map((argument, at) => offeredAt(argument, at, path)),
    many: command.registeredArguments.at(-1)?.variadic === true,
    ...(path[0] === 'cp' || command.registeredArguments.some((argument) => FILE_ARGUMENT.test(argument.name())) ? { files: true } : {}),
  };
}

function namesOf(path: readonly string[], flag: string): Pick<CompletionNode['flags'][number], 'names'> {
  const nodes = flag === '--namespace' ? '' : NODE_FILTERS.has(flag) ? 'name=' : undefined;
  const names = nodes === undefined ? NAMED_BY_FLAG[`${path[0]} ${flag}`] : { objects: 'nodes', before: nodes };
  return names === undefined ? {} : { names };
}

/** What is offered for an argument of a command. */
function offeredAt(argument: Argument, at: number, path: readonly string[]): Offer | undefined {
  if (argument.argChoices !== undefined) return { words: argument.argChoices };
  const name = argument.name();
  if (name.startsWith('kind')) return path[0] === 'explain' ? 'kind' : 'object';
  const within = path[0] === 'service' && at > 0 ? WITHIN_SERVICE[path[1] ?? ''] : undefined;
  if (within !== undefined) return at === 1 ? { within } : undefined;
  const known = OFFERED_BY[`${path.join(' ')} ${name}`] ?? OFFERED[`${path[0]} ${name}`];
  if (known !== undefined) return known;
  if (OF_KIND.has(path[0] ?? '') && (name === 'name' || name === 'names')) return 'named';
  return path[0] === 'domain' && name === 'name' && path[1] !== 'create' ? { objects: 'dtdomains' } : undefined;
}
