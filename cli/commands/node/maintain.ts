import { Argument, type Command } from 'commander';
import { DtkdError } from '../../../protocol/errors.ts';
import type { Cli } from '../../cli.ts';
import { changeOwnNode } from '../../client/nodes.ts';
import { recordAt, valueAt } from '../../json.ts';

const EXAMPLES = `
Examples:
  dtkd node maintain on --reason 'new disks'
  dtkd node maintain off

Commands that others start skip a node in maintenance, and say so. Run it on the node itself.`;

export function configure(command: Command, cli: Cli): void {
  command
    .addArgument(new Argument('<state>').choices(['on', 'off']))
    .option('--reason <text>', 'why, shown to those whose commands skip it')
    .addHelpText('after', EXAMPLES)
    .action(async (state: string, flags: { reason?: string }) => {
      if (state === 'off' && flags.reason !== undefined) throw new DtkdError('BAD_REQUEST', '--reason can only be given with "on"');
      const { name, changed } = await changeOwnNode(await cli.client(), (spec) => {
        const before = recordAt(spec, 'maintenance');
        if (state === 'off') return valueAt(spec, 'maintenance') === undefined ? undefined : { maintenance: null };
        const since = before['since'] ?? `${new Date().toISOString().slice(0, 19)}Z`;
        return { maintenance: { ...before, since, ...(flags.reason === undefined ? {} : { reason: flags.reason }) } };
      });
      if (state === 'on') cli.out.print(`${name} is in maintenance: commands of others skip it.`);
      else cli.out.print(changed ? `${name} is no longer in maintenance.` : `${name} is not in maintenance.`);
    });
}
