import type { Command } from 'commander';
import type { Cli, GlobalFlags } from '../../cli.ts';
import { named } from '../../client/services.ts';
import { editService } from '../../service/editing.ts';
import { addNodeFlag, type NodeFlag } from '../../service/flags.ts';

const EXAMPLES = `
Examples:
  dtkd service rm-link shop web db`;

export function configure(command: Command, cli: Cli): void {
  addNodeFlag(command.argument('<service>').argument('<component>').argument('<link>'))
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, component: string, link: string) => {
      const flags = command.optsWithGlobals<GlobalFlags & NodeFlag>();
      await editService(cli, named(name, flags), [{ op: 'rm-link', component, link }], flags);
    });
}
