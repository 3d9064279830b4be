import { type Command, Option } from 'commander';
import type { Cli, GlobalFlags } from '../../cli.ts';
import { named } from '../../client/services.ts';
import { attendTask, type TaskShowFlags } from '../../service/attend-task.ts';
import { TASK_EXIT_HELP } from '../../service/task-ending.ts';

const EXAMPLES = `
Examples:
  dtkd service task follow shop-7       its steps so far, and what comes, until it has ended
  dtkd service task follow shop-7 -v    with the output of every command
  dtkd service task follow shop-7 -o json

${TASK_EXIT_HELP}`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<task>', 'its name, e.g. shop-7')
    .option('-n, --namespace <node>', 'node that has it (default: this node)')
    .option('-v, --verbose', 'show the output of every command, not only of failed ones')
    .addOption(new Option('-o, --output <format>', 'one line of JSON for each event').choices(['json']))
    .addHelpText('after', EXAMPLES)
    .action(async (name: string) => {
      const flags = command.optsWithGlobals<GlobalFlags & TaskShowFlags & { namespace?: string }>();
      await attendTask(cli, { task: named(name, flags), show: flags, global: flags });
    });
}
