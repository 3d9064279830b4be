import type { Command } from 'commander';
import type { Cli, GlobalFlags } from '../../cli.ts';
import { named, nodeWords } from '../../client/services.ts';
import { escapeControls } from '../../output/escape.ts';
import { addCarryFlags, type CarryFlags, carryOut } from '../../service/carry-out.ts';
import { TASK_EXIT_HELP } from '../../service/task-ending.ts';

const EXAMPLES = `
Examples:
  dtkd service uninstall shop --yes          takes its resources down, then removes it; its repository is kept aside
  dtkd service uninstall prod --recursive    a target: those that are staged against it first
  dtkd service uninstall shop --abandon      run nothing: what runs goes on, and is nobody's

${TASK_EXIT_HELP}`;

interface Flags extends CarryFlags {
  recursive?: boolean;
  abandon?: boolean;
}

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<service>')
    .option('--recursive', 'services that are staged against it first')
    .option('--abandon', 'run no delete commands; for what can never be reached again');
  addCarryFlags(command, true)
    .addHelpText('after', EXAMPLES)
    .action(async (name: string) => {
      const flags = command.optsWithGlobals<Flags & GlobalFlags>();
      const service = named(name, flags);
      const { recursive, abandon } = flags;
      const { plan, attended, onlyShown } = await carryOut(cli, {
        service,
        verb: 'uninstall',
        body: { ...(recursive === true ? { recursive } : {}), ...(abandon === true ? { abandon } : {}) },
        flags,
        global: flags,
        question:
          abandon === true
            ? `Abandon all resources of ${service.name}, and remove it?`
            : `Take down all resources of ${service.name}, and remove it?`,
        again: ['service', 'uninstall', service.name, ...nodeWords(service)],
      });
      if (onlyShown || flags.output === 'json' || (plan.task !== undefined && attended?.task.state !== 'succeeded')) return;
      cli.out.print(`Uninstalled ${service.name}.${plan.kept === undefined ? '' : escapeControls(` Its history is kept in ${plan.kept}`)}`);
    });
}
