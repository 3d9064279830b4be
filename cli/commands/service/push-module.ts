import type { Command } from 'commander';
import type { Cli, GlobalFlags } from '../../cli.ts';
import { named } from '../../client/services.ts';
import { line } from '../../dispatch/conclude.ts';
import { outputOption } from '../../output/format.ts';
import { addNodeFlag, type NodeFlag } from '../../service/flags.ts';
import { type CopyFlags, moveCopy } from '../../service/module-copies.ts';

const EXAMPLES = `
Examples:
  dtkd service push-module shop acme/web                    what shop changed in its copy becomes a new version of acme/web
  dtkd service push-module shop acme/web --version 1.4.0 --dry-run

Other services have it only when they pull it.`;

export function configure(command: Command, cli: Cli): void {
  addNodeFlag(command.argument('<service>').argument('<module>'))
    .option('--version <version>', 'of the new version (default: the next patch)')
    .option('--dry-run', 'show what it would change')
    .addOption(outputOption('json', 'yaml'))
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, module: string) => {
      const flags = command.optsWithGlobals<GlobalFlags & NodeFlag & CopyFlags>();
      const service = named(name, flags);
      const done = await moveCopy(cli, service, { op: 'push', module }, flags);
      if (done === undefined) return;
      if (!done.changed) return cli.out.print(`${service.name} has changed nothing in ${done.title}.`);
      if (flags.dryRun === true) return cli.out.print(`${done.title} would be made (dry run).`);
      cli.out.print(`Made ${done.title}.`);
      cli.out.note(`Others take it with: ${line(flags, 'service', 'pull-module', 'SERVICE', module)}`);
    });
}
