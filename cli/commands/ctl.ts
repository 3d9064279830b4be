import { type Command, Option } from 'commander';
import { DtkdError } from '../../protocol/errors.ts';
import type { DispatchRequestSpec, NodeFilter } from '../../protocol/kinds/execution.ts';
import type { Cli, GlobalFlags } from '../cli.ts';
import { type ApiClient, THIS_NODE } from '../client/api.ts';
import { line } from '../dispatch/conclude.ts';
import { keepFailedNodes, readFailedNodes } from '../dispatch/failed-nodes.ts';
import { ALL_NODES, addNodeFilter } from '../dispatch/node-filter.ts';
import { assertFlags, flagsOfWords, optionsOfWords } from '../dispatch/option-words.ts';
import { optionWords } from '../dispatch/shell-line.ts';
import { addShowFlags } from '../dispatch/show-flags.ts';
import { addRunFlags, addStartFlags, type RunFlags, runFields, type StartFlags, start } from '../dispatch/start.ts';
import { EXIT_HELP } from '../dispatch/summary.ts';
import { parseLimit } from '../input/limit.ts';
import { type JsonRecord, listAt, recordAt, textAt } from '../json.ts';
import { escapeControls } from '../output/escape.ts';
import { toJson } from '../output/format.ts';

const EXAMPLES = `
Examples:
  dtkd ctl                                                  what could be run
  dtkd ctl -t Service -r myService                          commands of a resource, with their options
  dtkd ctl -t Service -c Start                              resources that have this command
  dtkd ctl -t Service -r myService -c Start                 here
  dtkd ctl -I '.*' -t Service -r myService -c Start         on every node where it is deployed
  dtkd ctl -I osfamily=unix -X 'tags=dev' -C 8 -K -t Service -r myService -c Start
  dtkd ctl -t Service -r myService -c Deploy -- -version 1.2.0 -force

Filters: hostname (without KEY=), name, osfamily, osarch, osname, osversion, tags, type, or any property of nodes; a
literal, a comma list or a regular expression. Tags: + is and, a comma is or. Different keys combine by and.
Options of the command follow --: -NAME VALUE, or -NAME alone for yes; -NAME=-VALUE where a value begins with a dash.

${EXIT_HELP}`;

interface CtlFlags extends StartFlags, RunFlags {
  project?: string;
  type?: string;
  resource?: string;
  command?: string;
  threadcount: number;
  keepgoing?: boolean;
  failednodes?: string;
  list?: string;
}

const PAGE_SIZE = 500;

/** What `--list` can list, by the names of the flags; `targets`: resources in the form of `dtkd run`. */
const LISTS = ['projects', 'types', 'resources', 'targets', 'commands'];

export function configure(command: Command, cli: Cli): void {
  command
    .argument('[options...]', 'options of the command, after --')
    .option('-p, --project <model>', 'the model, or NODE/MODEL')
    .option('-t, --type <type>', 'type of the resource')
    .option('-r, --resource <name>', 'the resource')
    .option('-c, --command <name>', 'the command');
  const filter = addNodeFilter(command);
  command
    .option('-C, --threadcount <number>', 'targets at a time', parseLimit, 1)
    .option('-K, --keepgoing', 'continue after a failure')
    .addOption(
      new Option('-F, --failednodes <file>', 'only the nodes in this file, if it exists; failed ones are written to it').conflicts([
        'detach',
      ]),
    );
  addShowFlags(addStartFlags(addRunFlags(command)));
  command.addOption(new Option('--list <what>', 'only names of what can be run, for scripts').choices(LISTS));
  command.addHelpText('after', EXAMPLES).action(async (words: string[], flags: CtlFlags) => {
    if (flags.list !== undefined) return cli.out.lines((await namesOf(cli, flags.list, flags)).map(escapeControls));
    const options = optionsOfWords(words);
    if (flags.resource === undefined || flags.command === undefined) {
      // options without a resource or a command: the person wanted to run something
      if (words.length > 0) throw incomplete();
      return showContext(cli, flags);
    }
    await checkFlags(cli, flags, flagsOfWords(words));
    const listed = flags.failednodes === undefined ? undefined : await readFailedNodes(flags.failednodes);
    const nodes = filter() ?? (listed === undefined ? undefined : { include: [ALL_NODES] });
    const request: DispatchRequestSpec = {
      ...scopeOf(flags),
      resource: flags.resource,
      command: flags.command,
      ...(words.length === 0 ? {} : { options }),
      ...(nodes === undefined ? {} : { filter: nodes }),
      ...(listed === undefined ? {} : { only: listed }),
      threads: flags.threadcount,
      keepGoing: flags.keepgoing === true,
      ...runFields(flags),
    };
    const global = command.optsWithGlobals<GlobalFlags>();
    const attended = await start(
      cli,
      flags,
      { path: 'dispatch', body: { request } },
      {
        prefix: 'seed',
        localIsPlain: true,
        tellsCount: nodes !== undefined,
        global,
        againOn: (failed) => line(global, ...againWords(flags, nodes, options, failed)),
      },
    );
    if (attended === undefined || flags.failednodes === undefined || attended.execution.id === '') return;
    const left = await keepFailedNodes(flags.failednodes, listed, attended.execution);
    if (left.length > 0) cli.out.note(`Nodes that are left are in ${flags.failednodes}.`);
  });
}

function scopeOf({ project, type }: CtlFlags): { model?: string; type?: string } {
  return { ...(project === undefined ? {} : { model: project }), ...(type === undefined ? {} : { type }) };
}

function incomplete(): DtkdError {
  return new DtkdError('BAD_REQUEST', 'a resource and a command must be named together', {
    next: 'Write: dtkd ctl -t TYPE -r RESOURCE -c COMMAND [-- -opt value]. "dtkd ctl" alone lists what there is.',
  });
}

/** The daemon's view of what could be run within the given context. */
async function contextOf(cli: Cli, flags: CtlFlags): Promise<JsonRecord> {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries({ model: flags.project, type: flags.type, resource: flags.resource, command: flags.command })) {
    if (value !== undefined) query.set(key, value);
  }
  const text = query.toString();
  const client = await cli.client();
  return client.daemon('GET', `dispatch${text === '' ? '' : `?${text}`}`);
}

/**
 * Refuses options without values that are not flags. Asks the daemon for their types only if there are such options, and leaves unknown
 * ones for it to refuse.
 */
async function checkFlags(cli: Cli, flags: CtlFlags, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  // the start itself reports a resource that cannot be found
  const context = await contextOf(cli, flags).catch(() => ({}));
  const commands = listAt(context, 'commands');
  const options = recordAt(
    commands.find((one) => textAt(one, 'name') === flags.command),
    'command',
    'options',
  );
  assertFlags(names, (name) => (Object.hasOwn(options, name) ? (textAt(options, name, 'type') ?? 'string') : undefined));
}

async function showContext(cli: Cli, flags: CtlFlags): Promise<void> {
  const answer = await contextOf(cli, flags);
  if (flags.output === 'json') cli.out.print(toJson(answer));
  else cli.out.lines((await import('../dispatch/context-lines.ts')).contextLines(answer, flags));
}

async function namesOf(cli: Cli, list: string, flags: CtlFlags): Promise<string[]> {
  // the daemon lists commands only for a single resource
  if (list === 'commands' && flags.resource === undefined) return commandNames(await cli.client());
  const answer = await contextOf(cli, flags);
  const called = (one: unknown): string => textAt(one, 'name') ?? '';
  if (list === 'targets') {
    const resources = listAt(answer, 'resources');
    return [...new Set([...resources.map(called), ...resources.map((one) => `${textAt(one, 'type') ?? ''}/${called(one)}`)])];
  }
  return [...new Set(listAt(answer, list === 'projects' ? 'models' : list).map(called))];
}

/** The names of the commands of all types of this node. */
async function commandNames(client: ApiClient): Promise<string[]> {
  const { typeKind } = await import('../../protocol/kinds/type.ts');
  const names = new Set<string>();
  for await (const page of client.pages({ kind: typeKind, namespace: THIS_NODE }, {}, PAGE_SIZE)) {
    for (const type of listAt(page, 'items')) for (const name of Object.keys(recordAt(type, 'spec', 'commands'))) names.add(name);
  }
  return [...names].sort();
}

/** The words of the same command, restricted to these nodes. */
function againWords(flags: CtlFlags, filter: NodeFilter | undefined, options: Record<string, string>, nodes: readonly string[]): string[] {
  return [
    'ctl',
    ...(filter === undefined ? [] : ['-I', `name=${nodes.join(',')}`]),
    ...(flags.threadcount === 1 ? [] : ['-C', String(flags.threadcount)]),
    ...(flags.keepgoing === true ? ['-K'] : []),
    ...(flags.project === undefined ? [] : ['-p', flags.project]),
    ...(flags.type === undefined ? [] : ['-t', flags.type]),
    '-r',
    flags.resource ?? '',
    '-c',
    flags.command ?? '',
    ...(flags.timeout === undefined ? [] : ['--timeout', flags.timeout]),
    ...(flags.queue === undefined ? [] : ['--queue', flags.queue]),
    ...(flags.batch === undefined ? [] : ['--batch', flags.batch]),
    ...(flags.pauseOnFailure === true ? ['--pause-on-failure'] : []),
    ...optionWords(options),
  ];
}
