import type { Command } from 'commander';
import type { Cli, GlobalFlags } from '../../cli.ts';
import { named, nodeWords } from '../../client/services.ts';
import { addCarryFlags, type CarryFlags, carryOut } from '../../service/carry-out.ts';
import { TASK_EXIT_HELP } from '../../service/task-ending.ts';

const EXAMPLES = `
Examples:
  dtkd service log shop                      which commits there are
  dtkd service rollback shop HEAD~1          how it was one commit before, and converge to that
  dtkd service rollback shop 1f3a9c2 --yes --discard

It restores the files of that commit, in a new commit; no history is lost. It is refused if there are uncommitted
edits, unless --discard.

${TASK_EXIT_HELP}`;

interface Flags extends CarryFlags {
  discard?: boolean;
  message?: string;
}

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<service>')
    .argument('<commit>', 'a commit, or HEAD~2, or applied')
    .option('--discard', 'discard edits since the last commit')
    .option('-m, --message <text>', 'commit message');
  addCarryFlags(command, true)
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, to: string) => {
      const flags = command.optsWithGlobals<Flags & GlobalFlags>();
      const service = named(name, flags);
      await carryOut(cli, {
        service,
        verb: 'rollback',
        body: {
          to,
          ...(flags.discard === true ? { discard: true } : {}),
          ...(flags.message === undefined ? {} : { message: flags.message }),
        },
        flags,
        global: flags,
        question: `Roll ${service.name} back to ${to}?`,
        // converge, since its files are rolled back already
        again: ['converge', service.name, ...nodeWords(service)],
      });
    });
}
