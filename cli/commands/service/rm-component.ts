import type { Command } from 'commander';
import type { Cli, GlobalFlags } from '../../cli.ts';
import { named } from '../../client/services.ts';
import { editService } from '../../service/editing.ts';
import { addNodeFlag, type NodeFlag } from '../../service/flags.ts';

const EXAMPLES = `
Examples:
  dtkd service rm-component shop cache           the next converge takes its resources down`;

export function configure(command: Command, cli: Cli): void {
  addNodeFlag(command.argument('<service>').argument('<components...>'))
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, components: string[]) => {
      const flags = command.optsWithGlobals<GlobalFlags & NodeFlag>();
      await editService(
        cli,
        named(name, flags),
        components.map((component) => ({ op: 'rm-component', name: component })),
        flags,
      );
    });
}
