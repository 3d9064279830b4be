import { setTimeout } from 'node:timers/promises';
import type { Command } from 'commander';
import { DtkdError } from '../../protocol/errors.ts';
import type { Cli } from '../cli.ts';
import { type Selection, TABLE, THIS_NODE } from '../client/api.ts';
import { isRecord, type JsonRecord, listAt, textAt } from '../json.ts';
import { fullName, parseWanted, type Wanted } from '../kinds.ts';
import { Completeness } from '../output/completeness.ts';
import { escapeControls } from '../output/escape.ts';
import { outputOption, toJson, toYaml } from '../output/format.ts';
import { parseTable, TablePrinter } from '../output/table.ts';
import { type ListFlags, targetOf } from '../selection.ts';

const EXAMPLES = `
Examples:
  dtkd watch dtpeers               what is there, then who connects and who goes away
  dtkd watch dtapps -A --changes   changes only
  dtkd watch resources -A          of every node; one that goes away deletes nothing
  dtkd watch models -n node1       of another node; while it is away, as soon as it answers
  dtkd watch events -o json        one line of JSON for each`;

/** Page size. */
const PAGE_SIZE = 500;

/** Pause between the end of a watch and the next one, in milliseconds, so as not to flood a daemon that ends watches at once. */
const PAUSE_MS = 500;

interface FollowFlags extends ListFlags {
  /** Shows existing objects before the changes. */
  state: boolean;
  /** Writes ADDED, MODIFIED or DELETED before each row. */
  events: boolean;
}

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<kind>', 'KIND or KIND/NAME')
    .argument('[name]')
    .option('-n, --namespace <node>', 'objects of this node')
    .option('-A, --all-namespaces', 'objects of all nodes')
    .option('-l, --selector <labels>', 'only objects with these labels')
    .option('--field-selector <fields>', 'only objects with these fields')
    .option('--where <expression>', 'only objects that match an expression')
    .option('--changes', 'leave out existing objects')
    .option('--no-headers', 'no heading')
    .addOption(outputOption('json', 'yaml', 'wide', 'name'))
    .addHelpText('after', EXAMPLES)
    .action(async (kind: string, name: string | undefined) => {
      const flags = command.optsWithGlobals<ListFlags & { changes?: boolean }>();
      const [wanted, ...more] = parseWanted(name === undefined ? [kind] : [kind, name]);
      if (wanted === undefined || more.length > 0) throw new DtkdError('BAD_REQUEST', 'only one kind can be followed at a time');
      await follow(cli, wanted, { ...flags, state: flags.changes !== true, events: true });
    });
}

/**
 * Prints existing objects and each change, until interrupted. When the daemon ends a watch, continues from its last known version: that of
 * the list, or of a bookmark. (The version of an object is its owner's, and cannot be used here.)
 */
export async function follow(cli: Cli, wanted: Wanted, flags: FollowFlags): Promise<void> {
  const client = await cli.client();
  const target = targetOf(wanted.kind, flags);
  const byName = wanted.names[0] === undefined ? undefined : `metadata.name=${wanted.names[0]}`;
  const selection: Selection = {
    labelSelector: flags.selector,
    fieldSelector: [flags.fieldSelector, byName].filter(Boolean).join(',') || undefined,
    where: flags.where,
  };
  const accept = flags.output === 'json' || flags.output === 'yaml' ? undefined : TABLE;
  const print = printerOf(cli, wanted, flags);
  const told = new Set<string>();
  let resourceVersion = await present(flags.state);
  for (;;) {
    try {
      const options = { ...selection, resourceVersion, allowWatchBookmarks: true };
      for await (const event of client.watch(target, options, accept === undefined ? {} : { accept })) {
        if (event['type'] === 'BOOKMARK') resourceVersion = textAt(event, 'object', 'metadata', 'resourceVersion') ?? resourceVersion;
        else await print(event);
      }
      await setTimeout(PAUSE_MS);
    } catch (error) {
      if (!(error instanceof DtkdError) || error.code !== 'GONE') throw error;
      cli.out.note('note: some changes are no longer known; going on from the present state');
      resourceVersion = await present(true);
    }
  }

  /** The version to watch from. Prints the objects at that version, and notes the nodes that are missing from it. */
  async function present(shown: boolean): Promise<string> {
    let version = '0';
    const completeness = new Completeness();
    // statements about all nodes need a list that is read to its end; stale rows, so that what is known of absent nodes is not reported as
    // a change
    const unshown = target.namespace === THIS_NODE ? { limit: 1 } : { stale: true };
    for await (const page of client.pages(target, shown ? selection : { ...selection, ...unshown }, PAGE_SIZE, accept)) {
      completeness.add(page);
      version = textAt(page, 'metadata', 'resourceVersion') ?? version;
      if (!shown) continue;
      if (accept === TABLE) await print({ type: 'ADDED', object: page });
      else for (const object of listAt(page, 'items')) await print({ type: 'ADDED', object });
    }
    // that node would never send anything
    if (target.namespace !== undefined) completeness.assertAsked(target.namespace, wanted.kind.plural);
    for (const line of [...completeness.lines(), ...waitingLines(completeness.awaited)].filter((one) => !told.has(one))) {
      told.add(line);
      cli.out.note(line);
    }
    return version;
  }
}

function waitingLines(nodes: readonly string[]): string[] {
  return nodes.length === 0 ? [] : [`Waiting for ${nodes.map(escapeControls).join(', ')}: their objects are shown when they answer.`];
}

function printerOf(cli: Cli, wanted: Wanted, flags: FollowFlags): (event: JsonRecord) => Promise<void> {
  const { kind } = wanted;
  const table = new TablePrinter(
    {
      wide: flags.output === 'wide',
      namespaces: flags.allNamespaces === true && kind.scope === 'Namespaced',
      // without the STALE column, a row repeated because its node went away would look like a change
      stale: !kind.shared && kind.scope === 'Namespaced' && targetOf(kind, flags).namespace !== THIS_NODE,
      prefix: '',
      headers: flags.headers,
    },
    (lines) => cli.out.lines(lines),
  );
  return async ({ type, object }) => {
    if (!isRecord(object)) return;
    if (flags.output === 'json') return cli.out.print(toJson(flags.events ? { type, object } : object, 0));
    if (flags.output === 'yaml') return cli.out.print(`---\n${await toYaml(flags.events ? { type, object } : object)}`);
    const parsed = parseTable(object);
    if (parsed === undefined) throw new DtkdError('INTERNAL', 'the daemon answered with something that is not a table');
    if (flags.output === 'name') cli.out.lines(parsed.rows.map((row) => fullName(kind, row.name)));
    else table.print(parsed, flags.events ? String(type) : undefined);
  };
}
