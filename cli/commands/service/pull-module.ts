import type { Command } from 'commander';
import type { Cli, GlobalFlags } from '../../cli.ts';
import { named, nodeWords } from '../../client/services.ts';
import { line } from '../../dispatch/conclude.ts';
import { outputOption } from '../../output/format.ts';
import { addNodeFlag, type NodeFlag } from '../../service/flags.ts';
import { type CopyFlags, moveCopy } from '../../service/module-copies.ts';

const EXAMPLES = `
Examples:
  dtkd service pull-module shop acme/web                    the newest version that is here, into the copy that shop has
  dtkd service pull-module shop acme/web --version 1.3.0 --dry-run
  dtkd service pull-module shop acme/web --force            also over files that were changed in the copy

This makes a commit and runs nothing: the next converge applies it. If files were changed on both sides, they are listed and
nothing is written, unless --force.`;

export function configure(command: Command, cli: Cli): void {
  addNodeFlag(command.argument('<service>').argument('<module>'))
    .option('--version <version>', 'of the module (default: the newest one here)')
    .option('--force', "on conflicts, use the module's version")
    .option('--dry-run', 'show what it would change')
    .addOption(outputOption('json', 'yaml'))
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, module: string) => {
      const flags = command.optsWithGlobals<GlobalFlags & NodeFlag & CopyFlags & { force?: boolean }>();
      const service = named(name, flags);
      const done = await moveCopy(cli, service, { op: 'pull', module, ...(flags.force === true ? { force: true } : {}) }, flags);
      if (done === undefined) return;
      if (!done.changed) return cli.out.print(`${service.name} already has ${done.title}, unchanged.`);
      if (flags.dryRun === true) return cli.out.print(`${service.name} would get ${done.title} (dry run).`);
      cli.out.print(`${service.name} has ${done.title} now.`);
      cli.out.note(`Next: ${line(flags, 'converge', service.name, ...nodeWords(service))}`);
    });
}
