import type { Command } from 'commander';
import type { Cli, GlobalFlags } from '../../cli.ts';
import { named, nodeWords, taskTarget } from '../../client/services.ts';
import { line } from '../../dispatch/conclude.ts';
import { taskOf } from '../../service/task.ts';

const EXAMPLES = `
Examples:
  dtkd service task cancel shop-7

Ends its running commands and starts no more. What was done stays; the next converge does the rest.`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<task>', 'its name, e.g. shop-7')
    .option('-n, --namespace <node>', 'node that has it (default: this node)')
    .addHelpText('after', EXAMPLES)
    .action(async (name: string) => {
      const flags = command.optsWithGlobals<GlobalFlags & { namespace?: string }>();
      const task = named(name, flags);
      const client = await cli.client();
      const { state } = taskOf(await client.call('POST', taskTarget(task, 'cancel'), {}));
      const late = state === 'succeeded' || state === 'failed';
      cli.out.print(late ? `There is nothing to cancel: ${task.name} has ended, and ${state}.` : `Cancelled ${task.name}.`);
      cli.out.note(`How it ended: ${line(flags, 'service', 'task', 'show', task.name, ...nodeWords(task))}`);
    });
}
