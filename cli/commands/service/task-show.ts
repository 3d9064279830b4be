import type { Command } from 'commander';
import type { Cli } from '../../cli.ts';
import { named, taskTarget } from '../../client/services.ts';
import { textAt } from '../../json.ts';
import { alignColumns } from '../../output/columns.ts';
import { escapeControls } from '../../output/escape.ts';
import { type Format, outputOption, printValue } from '../../output/format.ts';
import { taskOf } from '../../service/task.ts';
import { countsLine, tookOf, treeLines } from '../../service/task-lines.ts';

const EXAMPLES = `
Examples:
  dtkd service task show shop-7         the tree of its steps: state, node, how long, when
  dtkd service task show shop-7 -o json

"dtkd service task follow" shows the output, too.`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<task>', 'its name, e.g. shop-7')
    .option('-n, --namespace <node>', 'node that has it (default: this node)')
    .addOption(outputOption('json', 'yaml'))
    .addHelpText('after', EXAMPLES)
    .action(async (name: string) => {
      const flags = command.optsWithGlobals<{ namespace?: string; output?: Format }>();
      const client = await cli.client();
      const object = await client.get(taskTarget(named(name, flags)));
      if (flags.output === 'json' || flags.output === 'yaml') return printValue(cli.out, object, flags.output);
      const task = taskOf(object);
      const now = Date.now();
      const commit = textAt(object, 'spec', 'commit');
      cli.out.lines(
        alignColumns([
          ['Task:', task.name],
          ['Service:', textAt(object, 'spec', 'instance') ?? ''],
          ['What:', task.title],
          ['Started:', `${task.startedAt ?? ''}, by ${textAt(object, 'spec', 'user') ?? ''}`],
          ['State:', [task.state, tookOf(task, now)].filter(Boolean).join(', ')],
          ...(commit === undefined ? [] : [['Commit:', commit]]),
          ['Steps:', countsLine(task)],
        ]),
      );
      if (task.message !== undefined) cli.out.print(`Message:   ${task.message.split('\n').map(escapeControls).join('\n           ')}`);
      const tree = treeLines((colour, text) => cli.out.paint(colour, text), task, now);
      if (tree.length > 0) cli.out.lines(['', ...tree]);
    });
}
