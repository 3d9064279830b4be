import type { Command } from 'commander';
import { DtkdError } from '../../protocol/errors.ts';
import type { Kind } from '../../protocol/kinds/kind.ts';
import { nodeKind } from '../../protocol/kinds/node.ts';
import type { Cli } from '../cli.ts';
import { type ApiClient, TABLE, THIS_NODE } from '../client/api.ts';
import { parseLimit } from '../input/limit.ts';
import { isRecord, type JsonRecord, listAt, textAt } from '../json.ts';
import { fullName, parseWanted, type Wanted } from '../kinds.ts';
import { type Listing, listPages } from '../listing.ts';
import { Completeness } from '../output/completeness.ts';
import { outputOption, printValue } from '../output/format.ts';
import { parseTable, type Table, TablePrinter } from '../output/table.ts';
import { objectName } from '../peer-names.ts';
import { assertNothingChooses, assertOneNode, type ListFlags, selectionOf, targetOf } from '../selection.ts';
import { follow } from './watch.ts';

/** Page size, as in kubectl; a page is printed while the next one is fetched. */
const PAGE_SIZE = 500;
/** Exit status of `--require-complete`. */
const EXIT_INCOMPLETE = 3;

interface GetFlags extends ListFlags {
  watch?: boolean;
}

const EXAMPLES = `
Examples:
  dtkd get dtapps                        apps of this node, own and shared by others
  dtkd get services,endpoints -A         of all nodes
  dtkd get dtdomain mydomain -o yaml
  dtkd get dtpeers --field-selector reach=away
  dtkd get models -A                     of every node, as far as you have rights there
  dtkd get resources -A --where 'type=Service and properties.port>8000'
  dtkd get models -A --stale             with what nodes that are away answered last
  dtkd get all -o name
  dtkd get dtapps -w                     and every change from now on`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<kind>', 'KIND[,KIND], "all", or KIND/NAME')
    .argument('[names...]', 'names; all objects of the kind if left out')
    .option('-n, --namespace <node>', 'objects of this node')
    .option('-A, --all-namespaces', 'objects of all nodes')
    .option('-l, --selector <labels>', 'only objects with these labels, e.g. tier=front,env!=dev')
    .option('--field-selector <fields>', 'only objects with these fields, e.g. status=Ready')
    .option('--where <expression>', "only objects that match, e.g. 'type=Service and not has parent'")
    .option('--stale', 'add what absent nodes last answered')
    .option('--timeout <duration>', 'how long each other node may take (default: 2s)')
    .option('--require-complete', `exit with status ${EXIT_INCOMPLETE} unless all nodes answered in full`)
    .option('--limit <number>', 'maximum number of objects', parseLimit)
    .option('-w, --watch', 'then follow changes')
    .option('--no-headers', 'no heading')
    .addOption(outputOption('json', 'yaml', 'wide', 'name'))
    .addHelpText('after', EXAMPLES)
    .action(async (kind: string, names: string[]) => {
      const flags = command.optsWithGlobals<GetFlags>();
      assertOneExpression(flags.where, names);
      const wanted = parseWanted([kind, ...names]);
      if (flags.watch === true) return watchOne(cli, wanted, flags);
      if (wanted.some((one) => one.names.length > 0)) assertNothingChooses(flags, 'names');
      await show(cli, wanted, flags);
    });
}

/** Catches an unquoted expression: the shell splits it, and its other words look like names. */
function assertOneExpression(where: string | undefined, names: readonly string[]): void {
  if (where === undefined || names.length === 0) return;
  throw new DtkdError('BAD_REQUEST', `an expression chooses among all objects, and these are named: ${names.join(' ').slice(0, 200)}`, {
    next: `Put the expression into quotes: --where '${[where, ...names].join(' ').slice(0, 200)}'`,
  });
}

/** Lists what was asked for, in the wanted form. A part that fails does not hide the others. `none`: the note if nothing was found. */
export async function show(cli: Cli, wanted: readonly Wanted[], flags: ListFlags, none?: string): Promise<void> {
  const client = await cli.client();
  if (flags.output === 'json' || flags.output === 'yaml') return showValues(cli, client, wanted, flags, flags.output);
  let printed = 0;
  let failed = false;
  for (const one of wanted) {
    try {
      printed +=
        flags.output === 'name'
          ? await showNames(cli, client, one, flags)
          : await showTable(cli, client, one, flags, wanted.length > 1, printed > 0);
    } catch (error) {
      cli.failed(error);
      failed = true;
    }
  }
  const named = wanted.some(({ names }) => names.length > 0);
  if (printed > 0 || failed || named) return;
  const stranger = await unknownNode(client, wanted, flags);
  if (stranger !== undefined) cli.failed(stranger);
  else if (flags.output !== 'name') cli.out.note(none ?? nothingFound(wanted, flags));
}

/** An error if the list was empty because nobody knows the node: "nothing found" would not answer the question. */
async function unknownNode(
  client: ApiClient,
  wanted: readonly Wanted[],
  { namespace, allNamespaces }: ListFlags,
): Promise<DtkdError | undefined> {
  if (namespace === undefined || namespace === THIS_NODE || allNamespaces === true) return undefined;
  if (!wanted.some(({ kind }) => kind.scope === 'Namespaced')) return undefined;
  if ((await client.find({ kind: nodeKind, name: namespace })) !== undefined) return undefined;
  return new DtkdError('NOT_FOUND', `no node "${namespace.slice(0, 80)}" is known here`, { next: 'See "dtkd get nodes".' });
}

function nothingFound(wanted: readonly Wanted[], flags: ListFlags): string {
  const what = wanted.map(({ kind }) => kind.plural).join(', ');
  return flags.namespace === undefined ? `No ${what} found.` : `No ${what} of ${flags.namespace.slice(0, 80)} found.`;
}

async function showTable(cli: Cli, client: ApiClient, wanted: Wanted, flags: ListFlags, many: boolean, gap: boolean): Promise<number> {
  const { kind } = wanted;
  const style = {
    wide: flags.output === 'wide',
    namespaces: flags.allNamespaces === true && kind.scope === 'Namespaced',
    stale: flags.stale === true,
    prefix: many ? `${kind.singular}/` : '',
    headers: flags.headers,
  };
  const printer = new TablePrinter(style, (lines) => cli.out.lines(lines));
  let count = 0;
  for await (const table of tablesOf(cli, client, wanted, flags)) {
    if (table.rows.length === 0) continue;
    if (count === 0 && gap) cli.out.print('');
    printer.print(table);
    count += table.rows.length;
  }
  return count;
}

/** Tables as they come. Named objects are few, so they are joined into one table, in which they line up. */
async function* tablesOf(cli: Cli, client: ApiClient, wanted: Wanted, flags: ListFlags): AsyncGenerator<Table> {
  let whole: Table | undefined;
  for await (const page of pagesOf(cli, client, wanted, flags, { accept: TABLE })) {
    const table = requireTable(page);
    if (wanted.names.length === 0) yield table;
    else if (whole === undefined) whole = table;
    else whole.rows.push(...table.rows);
  }
  if (whole !== undefined) yield whole;
}

async function showNames(cli: Cli, client: ApiClient, wanted: Wanted, flags: ListFlags): Promise<number> {
  let count = 0;
  for await (const page of pagesOf(cli, client, wanted, flags, { accept: TABLE })) {
    const { rows } = requireTable(page);
    cli.out.lines(rows.map((row) => fullName(wanted.kind, row.name)));
    count += rows.length;
  }
  return count;
}

async function showValues(
  cli: Cli,
  client: ApiClient,
  wanted: readonly Wanted[],
  flags: ListFlags,
  format: 'json' | 'yaml',
): Promise<void> {
  const items: JsonRecord[] = [];
  const completeness = new Completeness();
  let resourceVersion = '';
  for (const one of wanted) {
    for await (const page of pagesOf(cli, client, one, flags, wanted.length === 1 ? { completeness } : {})) {
      if (one.names.length > 0) items.push(page);
      else
        items.push(
          ...listAt(page, 'items')
            .filter(isRecord)
            .map((item) => typed(item, one.kind)),
        );
      resourceVersion = textAt(page, 'metadata', 'resourceVersion') ?? '';
    }
  }
  const single = wanted.length === 1 && wanted[0]?.names.length === 1;
  if (single && items.length === 0) return;
  const metadata = { resourceVersion, ...completeness.metadata };
  const list = { apiVersion: 'v1', kind: 'List', metadata: wanted.length === 1 ? metadata : {}, items };
  await printValue(cli.out, single ? items[0] : list, format);
}

/** Adds apiVersion and kind, which items of a list may lack, but documents for `apply` need. */
function typed(item: JsonRecord, kind: Kind): JsonRecord {
  return { apiVersion: kind.group === '' ? kind.version : `${kind.group}/${kind.version}`, kind: kind.kind, ...item };
}

/** Pages of a list; with names, one page for each object that exists. */
async function* pagesOf(
  cli: Cli,
  client: ApiClient,
  wanted: Wanted,
  flags: ListFlags,
  { accept, completeness = new Completeness() }: Pick<Listing, 'accept' | 'completeness'> = {},
): AsyncGenerator<JsonRecord> {
  const target = targetOf(wanted.kind, flags);
  if (wanted.names.length === 0) {
    yield* listPages(cli, client, target, { selection: selectionOf(flags), pageSize: PAGE_SIZE, accept, completeness });
    if (flags.requireComplete === true && !completeness.complete) cli.exitWith(EXIT_INCOMPLETE);
    return;
  }
  assertOneNode(wanted.kind, flags);
  for (const name of wanted.names) {
    try {
      yield await client.get({ ...target, name: await objectName(client, target, name) }, {}, accept);
    } catch (error) {
      cli.failed(error);
    }
  }
}

function requireTable(body: JsonRecord): Table {
  const table = parseTable(body);
  if (table !== undefined) return table;
  throw new DtkdError('INTERNAL', 'the daemon answered with something that is not a table');
}

async function watchOne(cli: Cli, wanted: readonly Wanted[], flags: ListFlags): Promise<void> {
  const [one, ...more] = wanted;
  if (one === undefined || more.length > 0 || one.names.length > 1) {
    throw new DtkdError('BAD_REQUEST', 'only one kind, or one object, can be followed at a time', { next: 'Start one command for each.' });
  }
  if (flags.limit !== undefined || flags.requireComplete === true) {
    const written = flags.limit === undefined ? '--require-complete' : '--limit';
    throw new DtkdError('BAD_REQUEST', `a list that is followed has no end, so ${written} cannot be used with -w`, {
      next: `Leave out ${written}.`,
    });
  }
  await follow(cli, one, { ...flags, state: true, events: false });
}
