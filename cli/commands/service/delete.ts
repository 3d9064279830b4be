import type { Command } from 'commander';
import type { Cli, GlobalFlags } from '../../cli.ts';
import { named, nodeWords } from '../../client/services.ts';
import { addCarryFlags, type CarryFlags, carryOut } from '../../service/carry-out.ts';
import { TASK_EXIT_HELP } from '../../service/task-ending.ts';

const EXAMPLES = `
Examples:
  dtkd service delete shop --dry-run
  dtkd service delete shop --yes             runs its delete workflow, or the delete commands in reverse order
  dtkd service delete prod --recursive       a target: those that are staged against it first

The service keeps its files and its history: a converge brings it up anew. To remove it, see "dtkd service uninstall".

${TASK_EXIT_HELP}`;

export function configure(command: Command, cli: Cli): void {
  command.argument('<service>').option('--recursive', 'first do the same to services that depend on it');
  addCarryFlags(command, true)
    .addHelpText('after', EXAMPLES)
    .action(async (name: string) => {
      const flags = command.optsWithGlobals<CarryFlags & GlobalFlags & { recursive?: boolean }>();
      const service = named(name, flags);
      const { plan, attended, onlyShown } = await carryOut(cli, {
        service,
        verb: 'delete',
        body: flags.recursive === true ? { recursive: true } : {},
        flags,
        global: flags,
        question: `Take down all resources of ${service.name}?`,
        again: ['service', 'delete', service.name, ...(flags.recursive === true ? ['--recursive'] : []), ...nodeWords(service)],
      });
      if (onlyShown || flags.output === 'json' || (plan.task !== undefined && attended?.task.state !== 'succeeded')) return;
      cli.out.print(`Deleted ${service.name}; its files are kept.`);
    });
}
