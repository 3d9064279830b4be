import type { Command } from 'commander';
import { packArchive, unpackArchive } from '../../../protocol/modules/archive.ts';
import { soundModule } from '../../../protocol/modules/check.ts';
import type { Cli } from '../../cli.ts';
import { putContent } from '../../client/content.ts';
import { type JsonRecord, textsAt } from '../../json.ts';
import { readModuleDirectory } from '../../module/directory.ts';
import { moduleTitle } from '../../module/object.ts';
import { type Format, outputOption, printValue } from '../../output/format.ts';

const EXAMPLES = `
Examples:
  dtkd module install web               the directory web, with its dtk.module.yaml
  dtkd module install web --dry-run     what it would change
  dtkd module install web --replace     another content under the same version, or an older version

A node has one version of a module at a time; a newer one takes the place of the older. Other nodes run its commands
if their policy trusts this node: see "dtkd policy".`;

interface Flags {
  replace?: boolean;
  dryRun?: boolean;
  output?: Format;
}

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<directory>')
    .option('--replace', 'also where the same version is there with another content, or a newer one')
    .option('--dry-run', 'check only')
    .addOption(outputOption('json', 'yaml', 'name'))
    .addHelpText('after', EXAMPLES)
    .action(async (directory: string, flags: Flags) => {
      const bytes = packArchive(await readModuleDirectory(directory));
      // what is wrong in the module itself is told before anything is sent
      await soundModule(unpackArchive(bytes));
      const client = await cli.client();
      const { digest } = await putContent(client, bytes);
      const { replace, dryRun } = flags;
      const answer = await client.daemon('POST', 'modules', {
        digest,
        ...(replace === true ? { replace } : {}),
        ...(dryRun === true ? { dryRun } : {}),
      });
      if (flags.output === 'json' || flags.output === 'yaml') await printValue(cli.out, answer, flags.output);
      else cli.out.lines(flags.output === 'name' ? [moduleTitle(answer)] : reportLines(answer, dryRun === true));
    });
}

function reportLines(answer: JsonRecord, dryRun: boolean): string[] {
  const changes = (['created', 'changed', 'removed'] as const).flatMap((what) => {
    const types = textsAt(answer, 'changes', what);
    return types.length === 0 ? [] : [`  types ${what}: ${types.join(', ')}`];
  });
  const title = moduleTitle(answer);
  if (changes.length === 0) return [`${title} is installed; its types are as they were`];
  return [dryRun ? `${title} would be installed (dry run)` : `Installed ${title}`, ...changes];
}
