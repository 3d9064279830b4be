/**
 * Builds the tree of commands and runs a command line: parses it, loads the one command that was asked for, runs that, and turns errors
 * into lines and an exit status. Each command describes itself in its own file, which is imported only when needed.
 */
import { Command, CommanderError, Option } from 'commander';
import { DtkdError } from '../protocol/errors.ts';
import type { Cli, GlobalFlags } from './cli.ts';
import type { ApiClient } from './client/api.ts';
import { COMMANDS, type CommandEntry, ORIENTATION } from './commands/index.ts';
import { meantBy } from './elsewhere.ts';
import { load, loadLater } from './lazy-commands.ts';
import { Output } from './output/output.ts';
import { describeError } from './report-error.ts';
import { ownVersion } from './version.ts';

/** Exit status for an invalid command line. */
const USAGE = 2;

/** Runs one command line and returns its exit status. */
export async function runCli(argv: readonly string[]): Promise<number> {
  const out = new Output();
  let client: Promise<ApiClient> | undefined;
  let status = 0;
  let asked = 'dtkd';
  const report = (error: unknown): void => {
    const { lines, exitStatus } = describeError(error);
    out.note(lines.join('\n'));
    if (status === 0) status = exitStatus;
  };
  const cli: Cli = {
    out,
    client: () => {
      client ??= connect(program.opts<GlobalFlags>(), out);
      return client;
    },
    failed: report,
    exitWith: (own) => {
      status = own;
    },
  };
  const version = asksVersion(argv) ? await ownVersion() : undefined;
  const program = buildProgram(cli, version, (path) => {
    asked = path;
  });
  if (argv.length === 0) {
    out.print(ORIENTATION);
    return 0;
  }
  try {
    await program.parseAsync(helpLast(argv), { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) report(error);
    else if (error.exitCode !== 0) {
      status = USAGE;
      if (error.code !== 'commander.help') out.note(`next: ${aboutWords(error, asked)}See ${await listOf(error, asked)}"${asked} --help".`);
    }
  } finally {
    await client?.then(
      (connected) => connected.close(),
      () => undefined,
    );
  }
  return status;
}

/** The whole tree; a command is empty until `load` is called for it. */
export function buildProgram(cli: Cli, version: string | undefined, onCommand: (path: string) => void): Command {
  const program = new Command('dtkd').description('Share services between sites, with no server in the middle.');
  // only if asked for: the root would otherwise take --version from commands with one of their own
  if (version !== undefined) program.version(version, '-V, --version', 'print the version of this command');
  program
    .option('--url <url>', "the daemon's API, e.g. https://127.0.0.1:7700 (DTKD_URL)")
    .option('--token <token>', 'token for it: a value, - or @FILE (DTKD_TOKEN)')
    .option('--data <dir>', 'data directory of the daemon (DTKD_DATA)')
    .option('--ca <file>', "certificate authority to trust instead of the data directory's (DTKD_CA)")
    .addOption(new Option('-n, --namespace <node>').hideHelp())
    .helpOption('-h, --help', 'show help')
    .helpCommand(false)
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', '\nSee "dtkd COMMAND --help" for examples of each command.');
  tellMeant(program, 'dtkd');
  add(program, COMMANDS, cli, onCommand, 'dtkd');
  program.hook('preAction', (_program, command) => assertAboutNodes(command));
  return program;
}

function add(parent: Command, entries: readonly CommandEntry[], cli: Cli, onCommand: (path: string) => void, path: string): void {
  for (const entry of entries) {
    if (entry.group !== undefined) parent.commandsGroup(entry.group);
    const command = parent.command(entry.name).description(entry.summary).helpOption('-h, --help', 'show help').helpCommand(false);
    if (entry.alias !== undefined) command.alias(entry.alias);
    tellMeant(command, `${path} ${entry.name}`);
    const { load: loadModule, children } = entry;
    loadLater(command, async () => {
      if (children !== undefined) add(command, children, cli, onCommand, `${path} ${entry.name}`);
      const module = await loadModule?.();
      module?.configure(command, cli);
    });
  }
  parent.hook('preSubcommand', async (_parent, command) => {
    onCommand(`${path} ${command.name()}`);
    await load(command);
  });
}

/** Drops the parser's guess at a similar word if the meaning of the word is known. */
function tellMeant(command: Command, path: string): void {
  command.configureOutput({
    outputError: (text, write) => write(meantBy(unknownCommand(text) ?? '', path).length > 0 ? `${text.split('\n')[0]}\n` : text),
  });
}

/** Suggestions for an unknown command, as words for a message: the list of a kind if the word names one, and what other tools call so. */
async function listOf(error: CommanderError, asked: string): Promise<string> {
  const word = unknownCommand(error.message);
  if (word === undefined) return '';
  const meant = meantBy(word, asked);
  if (asked === 'dtkd') {
    const { kindByAnyName } = await import('../protocol/kinds/index.ts');
    const kind = kindByAnyName(word);
    if (kind !== undefined)
      meant.push(`dtkd get ${kind.plural}`, ...(kind.verbs.includes('update') ? [`dtkd edit ${kind.singular} NAME`] : []));
  }
  return meant.map((line, at) => `"${line}"${at < meant.length - 1 ? ', ' : ', or '}`).join('');
}

/** The unknown command in the parser's message. */
function unknownCommand(message: string): string | undefined {
  return /^error: unknown command '([^']*)'/.exec(message)?.[1];
}

/** Commands that take words of their own after `--`, and what these words are. */
const AFTER_DASHES: Readonly<Record<string, string>> = {
  'dtkd ctl': 'Options of the command to run',
  'dtkd exec': 'The program and its options',
};

/** Flags that choose nodes, by the name that they have in other commands. */
const NODE_FLAGS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'dtkd ctl': { '--on': '-I', '--not-on': '-X' },
  'dtkd exec': { '--on': '-I', '--not-on': '-X' },
  'dtkd run': { '-I': '--on', '-X': '--not-on' },
};

/** Where surplus arguments belong, by command. */
const EXCESS: Readonly<Record<string, string>> = {
  'dtkd run': 'Options of the command are given as --set NAME=VALUE. ',
  'dtkd service exec': 'Write COMPONENT.COMMAND as one word. ',
  'dtkd secret set': 'The value is asked for, or read from a pipe: in a command line others could see it. ',
};

/** Advice about an unknown or invalid option, or about surplus arguments; empty if there is none. */
function aboutWords(error: CommanderError, asked: string): string {
  if (error.code === 'commander.excessArguments') return EXCESS[asked] ?? '';
  if (error.code === 'commander.invalidArgument' && /--output .*'(jsonpath|go-template|custom-columns)/.test(error.message)) {
    return 'kubectl has these forms, and works here: see "dtkd kubeconfig --help". ';
  }
  if (error.code !== 'commander.unknownOption') return '';
  const option = /'([^']*)'/.exec(error.message)?.[1] ?? '';
  const meant = NODE_FLAGS[asked]?.[option];
  if (meant !== undefined) return `"${asked}" chooses nodes with ${meant}. `;
  const what = AFTER_DASHES[asked];
  return what === undefined ? '' : `${what} stand after --, as in: ${asked} … -- … ${option}. `;
}

/** Refuses `-n` for a command about this node alone: it is accepted before any command, and ignoring it would answer for the wrong node. */
function assertAboutNodes(command: Command): void {
  const { namespace } = command.optsWithGlobals<{ namespace?: string }>();
  if (namespace === undefined || command.options.some(({ long }) => long === '--namespace')) return;
  throw new DtkdError('BAD_REQUEST', `"${command.name()}" works on the node that it talks to and takes no -n`, {
    next: `Run it on ${namespace.slice(0, 80)}.`,
  });
}

/** Flags of the root command that take a value. */
const ROOT_VALUES = new Set(['--url', '--token', '--data', '--ca', '-n', '--namespace']);

/** True if `--version` comes before any command, or if there is no command at all, in which case the help shows the option. */
function asksVersion(argv: readonly string[]): boolean {
  const command = argv.findIndex((word, at) => !word.startsWith('-') && !ROOT_VALUES.has(argv[at - 1] ?? ''));
  const asked = argv.findIndex((word) => word === '-V' || word === '--version');
  return command === -1 || (asked !== -1 && asked < command);
}

/**
 * Rewrites `dtkd help domain create` to `dtkd domain create --help`. Drops `--help` if the words name no command, so that the mistake is
 * reported as it is without it.
 */
function helpLast(argv: readonly string[]): string[] {
  const words = argv[0] === 'help' ? [...argv.slice(1), '--help'] : [...argv];
  return namesNoCommand(words) ? words.filter((word) => word !== '--help' && word !== '-h') : words;
}

function namesNoCommand(words: readonly string[]): boolean {
  let entries: readonly CommandEntry[] | undefined = COMMANDS;
  for (const [at, word] of words.entries()) {
    if (entries === undefined) return false;
    if (word.startsWith('-') || ROOT_VALUES.has(words[at - 1] ?? '')) continue;
    const entry: CommandEntry | undefined = entries.find(({ name, alias }) => word === name || word === alias);
    if (entry === undefined) return true;
    entries = entry.children;
  }
  return false;
}

async function connect(flags: GlobalFlags, out: Output): Promise<ApiClient> {
  const [{ findDaemon }, { HttpsClient }, { ApiClient }] = await Promise.all([
    import('./config.ts'),
    import('./client/https.ts'),
    import('./client/api.ts'),
  ]);
  const { escapeControls } = await import('./output/escape.ts');
  return new ApiClient(new HttpsClient(await findDaemon(flags)), { onWarning: (text) => out.note(`warning: ${escapeControls(text)}`) });
}
