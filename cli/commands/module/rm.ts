import type { Command } from 'commander';
import type { Cli } from '../../cli.ts';
import { findModule, moduleTarget, moduleTitle } from '../../module/object.ts';

const EXAMPLES = `
Examples:
  dtkd module rm acme/web               with its types; refused while there are resources of these
  dtkd module rm acme/web --dry-run`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<names...>')
    .option('--dry-run', 'check only')
    .addHelpText('after', EXAMPLES)
    .action(async (names: string[], { dryRun }: { dryRun?: boolean }) => {
      const client = await cli.client();
      for (const name of names) {
        try {
          const module = await findModule(client, name);
          await client.delete(moduleTarget(module), { dryRun });
          cli.out.print(dryRun === true ? `${moduleTitle(module)} can be removed (dry run)` : `Removed ${moduleTitle(module)}.`);
        } catch (error) {
          cli.failed(error);
        }
      }
    });
}
