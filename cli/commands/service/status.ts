import type { Command } from 'commander';
import type { Cli, GlobalFlags } from '../../cli.ts';
import { named, nodeWords, serviceTarget, stateOf } from '../../client/services.ts';
import { line } from '../../dispatch/conclude.ts';
import { type Format, outputOption, printValue } from '../../output/format.ts';
import { addNodeFlag, type NodeFlag } from '../../service/flags.ts';
import { statusLines } from '../../service/status-lines.ts';

const EXAMPLES = `
Examples:
  dtkd service status shop              what is edited, what is applied, what each resource is, the last task, its apps
  dtkd service status shop -o wide      with times and components
  dtkd service status shop -o json`;

export function configure(command: Command, cli: Cli): void {
  addNodeFlag(command.argument('<service>'))
    .addOption(outputOption('json', 'yaml', 'wide'))
    .addHelpText('after', EXAMPLES)
    .action(async (name: string) => {
      const flags = command.optsWithGlobals<GlobalFlags & NodeFlag & { output?: Format }>();
      const service = named(name, flags);
      const client = await cli.client();
      const answer = await client.call('GET', serviceTarget(service, 'state'));
      if (flags.output === 'json' || flags.output === 'yaml') return printValue(cli.out, answer, flags.output);
      const state = await stateOf(answer);
      cli.out.lines(statusLines((colour, text) => cli.out.paint(colour, text), state, { now: Date.now(), wide: flags.output === 'wide' }));
      const drifted = state.resources.some(({ check }) => check?.ok === false);
      const isAsWanted = !drifted && state.violations.length + state.edited.length + state.pending.length === 0 && state.phase === 'Ready';
      if (state.violations.length > 0) cli.out.note('Next: correct what is wrong; then the service can be converged.');
      else if (!isAsWanted && state.task?.state !== 'executing')
        cli.out.note(`Next: ${line(flags, 'converge', service.name, ...nodeWords(service))}`);
    });
}
