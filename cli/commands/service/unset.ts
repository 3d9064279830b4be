import type { Command } from 'commander';
import type { Cli, GlobalFlags } from '../../cli.ts';
import { named } from '../../client/services.ts';
import { editService } from '../../service/editing.ts';
import { addNodeFlag, type NodeFlag } from '../../service/flags.ts';

const EXAMPLES = `
Examples:
  dtkd service unset shop web.greeting           back to the default of the type
  dtkd service unset shop web.count target`;

export function configure(command: Command, cli: Cli): void {
  addNodeFlag(command.argument('<service>').argument('<paths...>'))
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, paths: string[]) => {
      const flags = command.optsWithGlobals<GlobalFlags & NodeFlag>();
      await editService(
        cli,
        named(name, flags),
        paths.map((path) => ({ op: 'unset', path })),
        flags,
      );
    });
}
