import type { Command } from 'commander';
import { taskKind } from '../../../protocol/kinds/task.ts';
import { ageOf } from '../../../protocol/text/age.ts';
import type { Cli } from '../../cli.ts';
import { named, serviceTarget } from '../../client/services.ts';
import { parseLimit } from '../../input/limit.ts';
import { isRecord, type JsonRecord, listAt, textAt } from '../../json.ts';
import { fullName } from '../../kinds.ts';
import { listPages } from '../../listing.ts';
import { alignColumns } from '../../output/columns.ts';
import { Completeness } from '../../output/completeness.ts';
import { outputOption, printValue } from '../../output/format.ts';
import { notShown } from '../../output/not-shown.ts';
import { type ListFlags, targetOf } from '../../selection.ts';
import { hasEnded, leavesOf, taskOf } from '../../service/task.ts';
import { tookOf } from '../../service/task-lines.ts';

/** Page size: a task with many steps is large. */
const PAGE_SIZE = 100;
/** People nearly always want the latest. */
const DEFAULT_SHOWN = 30;

const EXAMPLES = `
Examples:
  dtkd service tasks                    of all services of this node, the latest first
  dtkd service tasks shop
  dtkd service tasks -A --running       those that run now, of all nodes`;

interface Flags extends Omit<ListFlags, 'limit'> {
  running?: boolean;
  limit: number;
}

export function configure(command: Command, cli: Cli): void {
  command
    .argument('[service]')
    .option('-n, --namespace <node>', 'of this node')
    .option('-A, --all-namespaces', 'of all nodes')
    .option('--running', 'only those that have not ended')
    .option('--limit <number>', 'maximum number, the latest ones', parseLimit, DEFAULT_SHOWN)
    .addOption(outputOption('json', 'yaml', 'wide', 'name'))
    .addHelpText('after', EXAMPLES)
    .action(async (service: string | undefined) => {
      const flags = command.optsWithGlobals<Flags>();
      const client = await cli.client();
      const completeness = new Completeness();
      const found: JsonRecord[] = [];
      const fieldSelector = [
        ...(service === undefined ? [] : [`spec.instance=${service}`]),
        ...(flags.running === true ? ['status.state=executing'] : []),
      ].join(',');
      const selection = fieldSelector === '' ? {} : { fieldSelector };
      for await (const page of listPages(cli, client, targetOf(taskKind, flags), { selection, pageSize: PAGE_SIZE, completeness })) {
        found.push(...listAt(page, 'items').filter(isRecord));
      }
      // no tasks: an error if the service does not exist; an uninstalled one still has tasks
      if (service !== undefined && found.length === 0) await client.get(serviceTarget(named(service, flags)));
      const shown = found.sort(latestFirst).slice(0, flags.limit);
      if (flags.output === 'json' || flags.output === 'yaml') {
        return printValue(cli.out, { apiVersion: 'v1', kind: 'List', metadata: completeness.metadata, items: shown }, flags.output);
      }
      if (flags.output === 'name') return cli.out.lines(shown.map((task) => fullName(taskKind, textAt(task, 'metadata', 'name') ?? '')));
      if (shown.length === 0) return cli.out.note('No tasks found.');
      const wide = flags.output === 'wide';
      const all = flags.allNamespaces === true;
      const heading = [
        'TASK',
        ...(all ? ['NODE'] : []),
        'SERVICE',
        'WHAT',
        'STATE',
        'STEPS',
        'AGE',
        'TOOK',
        ...(wide ? ['USER', 'COMMIT', 'MESSAGE'] : []),
      ];
      cli.out.lines(alignColumns([heading, ...shown.map((task) => row(task, { wide, all }))]));
      const more = notShown(found.length - shown.length);
      if (more !== undefined) cli.out.note(more);
    });
}

function latestFirst(a: JsonRecord, b: JsonRecord): number {
  const began = (task: JsonRecord): number =>
    Date.parse(textAt(task, 'status', 'startedAt') ?? textAt(task, 'metadata', 'creationTimestamp') ?? '') || 0;
  const number = (task: JsonRecord): number => Number(/-([0-9]+)$/.exec(textAt(task, 'metadata', 'name') ?? '')?.[1] ?? 0);
  return began(b) - began(a) || number(b) - number(a);
}

function row(object: JsonRecord, { wide, all }: { wide: boolean; all: boolean }): string[] {
  const task = taskOf(object);
  const leaves = leavesOf(task);
  const more = [textAt(object, 'spec', 'user') ?? '', (textAt(object, 'spec', 'commit') ?? '').slice(0, 8), task.message ?? ''];
  return [
    task.name,
    ...(all ? [textAt(object, 'metadata', 'namespace') ?? ''] : []),
    textAt(object, 'spec', 'instance') ?? '',
    task.title,
    task.state,
    `${leaves.filter(({ state }) => hasEnded(state)).length}/${leaves.length}`,
    ageOf(task.startedAt, Date.now()),
    tookOf(task, Date.now()),
    ...(wide ? more : []),
  ];
}
