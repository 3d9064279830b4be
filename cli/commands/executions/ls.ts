import type { Command } from 'commander';
import { executionKind } from '../../../protocol/kinds/execution.ts';
import type { Cli } from '../../cli.ts';
import { executionOf } from '../../dispatch/execution.ts';
import { executionRows, mergedById } from '../../dispatch/execution-lines.ts';
import { parseLimit } from '../../input/limit.ts';
import { isRecord, type JsonRecord, listAt, textAt } from '../../json.ts';
import { fullName } from '../../kinds.ts';
import { listPages } from '../../listing.ts';
import { alignColumns } from '../../output/columns.ts';
import { Completeness } from '../../output/completeness.ts';
import { outputOption, printValue } from '../../output/format.ts';
import { notShown } from '../../output/not-shown.ts';
import { type ListFlags, selectionOf, targetOf } from '../../selection.ts';

/** Page size: an execution with many targets is large. */
const PAGE_SIZE = 100;
/** People nearly always want the latest. */
const DEFAULT_SHOWN = 30;

const EXAMPLES = `
Examples:
  dtkd executions ls
  dtkd executions ls -A --running
  dtkd executions ls --limit 500 -o wide       with whole ids`;

interface ExecutionsFlags extends Omit<ListFlags, 'limit'> {
  limit: number;
  running?: boolean;
}

export function configure(command: Command, cli: Cli): void {
  command
    .option('-n, --namespace <node>', 'executions that this node knows')
    .option('-A, --all-namespaces', 'of all nodes')
    .option('--running', 'only those that have not finished')
    .option('--limit <number>', 'maximum number, the latest ones', parseLimit, DEFAULT_SHOWN)
    .addOption(outputOption('json', 'yaml', 'wide', 'name'))
    .addHelpText('after', EXAMPLES)
    .action(async () => {
      const flags = command.optsWithGlobals<ExecutionsFlags>();
      const client = await cli.client();
      const completeness = new Completeness();
      const found: { node: string; object: JsonRecord }[] = [];
      const selection = { ...selectionOf({}), fieldSelector: flags.running === true ? 'status.phase!=Finished' : undefined };
      for await (const page of listPages(cli, client, targetOf(executionKind, flags), { selection, pageSize: PAGE_SIZE, completeness })) {
        for (const object of listAt(page, 'items').filter(isRecord))
          found.push({ node: textAt(object, 'metadata', 'namespace') ?? '', object });
      }
      if (flags.output === 'json' || flags.output === 'yaml') {
        return printValue(
          cli.out,
          { apiVersion: 'v1', kind: 'List', metadata: completeness.metadata, items: found.map(({ object }) => object) },
          flags.output,
        );
      }
      const merged = mergedById(found.map(({ node, object }) => ({ node, execution: executionOf(object) })));
      const rows = executionRows(merged, Date.now(), flags.output === 'wide' || flags.output === 'name').slice(0, flags.limit);
      if (flags.output === 'name') return cli.out.lines(rows.map(([id = '']) => fullName(executionKind, id)));
      if (rows.length === 0) return cli.out.note('No executions found.');
      cli.out.lines(alignColumns([['ID', 'AGE', 'WHAT', 'USER', 'STARTER', 'PHASE', 'TARGETS'], ...rows]));
      const more = notShown(merged.length - rows.length);
      if (more !== undefined) cli.out.note(more);
    });
}
