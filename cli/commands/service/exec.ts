import type { Command } from 'commander';
import { DtkdError } from '../../../protocol/errors.ts';
import type { Cli, GlobalFlags } from '../../cli.ts';
import { named } from '../../client/services.ts';
import { optionsOfPairs } from '../../dispatch/option-words.ts';
import { addCarryFlags, type CarryFlags, carryOut } from '../../service/carry-out.ts';
import { collect } from '../../service/flags.ts';
import { TASK_EXIT_HELP } from '../../service/task-ending.ts';

const EXAMPLES = `
Examples:
  dtkd service exec shop web.restart                   the command restart of all resources of web
  dtkd service exec shop web-1.restart                 of one of them
  dtkd service exec shop web.restart --batch 25%       a quarter at a time
  dtkd service exec shop rolling-restart               a workflow of the service
  dtkd service exec shop backup --set to=/srv/backup   with an option

${TASK_EXIT_HELP}`;

interface Flags extends CarryFlags {
  set?: string[];
  batch?: string;
}

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<service>')
    .argument('<what>', 'COMPONENT.COMMAND, RESOURCE.COMMAND, or a workflow')
    .option('--set <name=value>', 'an option of the command or the workflow; may be repeated', collect)
    .option('--batch <number>', 'resources at a time, as a number or a percentage, e.g. 25%');
  addCarryFlags(command, false)
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, what: string) => {
      const flags = command.optsWithGlobals<Flags & GlobalFlags>();
      const { set, batch } = flags;
      if (batch !== undefined && !/^[1-9][0-9]{0,5}%?$/.test(batch)) {
        throw new DtkdError('BAD_REQUEST', `"${batch.slice(0, 40)}" is not the size of a batch`, {
          next: 'Write a number or a percentage, e.g. 25%.',
        });
      }
      await carryOut(cli, {
        service: named(name, flags),
        verb: 'exec',
        body: {
          ...whatOf(what),
          ...(set === undefined ? {} : { options: optionsOfPairs(set) }),
          ...(batch === undefined ? {} : { batch }),
        },
        flags,
        global: flags,
      });
    });
}

/** Parses `web.restart`, or the name of a workflow. */
function whatOf(text: string): { component: string; command: string } | { workflow: string } {
  const at = text.lastIndexOf('.');
  if (at === -1) return { workflow: text };
  const [component, command] = [text.slice(0, at), text.slice(at + 1)];
  if (component !== '' && command !== '') return { component, command };
  throw new DtkdError('BAD_REQUEST', `"${text.slice(0, 120)}" is not COMPONENT.COMMAND`, {
    next: 'Write it like web.restart, or name a workflow.',
  });
}
