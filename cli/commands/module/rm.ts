import type { Command } from 'commander';
import type { Cli } from '../../cli.ts';
import { findVersions, moduleTarget, moduleTitle } from '../../module/object.ts';

const EXAMPLES = `
Examples:
  dtkd module rm acme/web               all its versions with its types; refused while there are resources of these
  dtkd module rm acme/web@1.1.0         one version
  dtkd module rm acme/web --dry-run

Service instances keep their own copies. Unpublish a published module first.`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<names...>', 'NAME or NAME@VERSION')
    .option('--dry-run', 'check only')
    .addHelpText('after', EXAMPLES)
    .action(async (names: string[], { dryRun }: { dryRun?: boolean }) => {
      const client = await cli.client();
      for (const name of names) {
        try {
          // the active version comes first: if it cannot be removed, the others stay, too
          for (const module of await findVersions(client, name)) {
            await client.delete(moduleTarget(module), { dryRun });
            cli.out.print(dryRun === true ? `${moduleTitle(module)} can be removed (dry run)` : `Removed ${moduleTitle(module)}.`);
          }
        } catch (error) {
          cli.failed(error);
        }
      }
    });
}
