import type { Command } from 'commander';
import type { Cli, GlobalFlags } from '../cli.ts';
import { named, nodeWords, serviceTarget } from '../client/services.ts';
import { listAt, textAt } from '../json.ts';
import { escapeControls } from '../output/escape.ts';
import { addCarryFlags, type CarryFlags, carryOut } from '../service/carry-out.ts';
import { TASK_EXIT_HELP } from '../service/task-ending.ts';

const EXAMPLES = `
Examples:
  dtkd converge shop --dry-run          violations, or what is different and what would be run
  dtkd converge shop                    shows that, asks, commits the edits and runs it
  dtkd converge shop --yes -m 'Move to 8081'
  dtkd converge shop --yes --keep-going --threads 4

Creates, changes and removes a service's resources, in dependency order, until they match its files. After a failure or an
interruption, the next converge does the rest. If there is nothing to do, it runs nothing.

${TASK_EXIT_HELP}`;

interface Flags extends CarryFlags {
  message?: string;
  timeout?: string;
}

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<service>')
    .option('-m, --message <text>', 'commit message (default: what was changed)')
    .option('--timeout <duration>', 'how long each command may take (default: 1h)');
  addCarryFlags(command, true)
    .addHelpText('after', EXAMPLES)
    .action(async (name: string) => {
      const flags = command.optsWithGlobals<Flags & GlobalFlags>();
      const service = named(name, flags);
      const { message, timeout } = flags;
      const { plan, attended } = await carryOut(cli, {
        service,
        verb: 'converge',
        body: { ...(message === undefined ? {} : { message }), ...(timeout === undefined ? {} : { timeout }) },
        flags,
        global: flags,
        question: `Converge ${service.name}?`,
        again: ['converge', service.name, ...nodeWords(service)],
      });
      if (flags.output === 'json') return;
      if (plan.task === undefined && plan.commit !== undefined) cli.out.print(`Commit ${plan.commit.slice(0, 8)} is applied.`);
      if (attended?.task.state !== 'succeeded') return;
      const state = await (await cli.client()).call('GET', serviceTarget(service, 'state'));
      for (const app of listAt(state, 'apps')) {
        const address = textAt(app, 'uri') ?? '(no address here yet)';
        cli.out.print(escapeControls(`App ${textAt(app, 'name') ?? ''} of ${textAt(app, 'node') ?? ''}: ${address}`));
      }
    });
}
