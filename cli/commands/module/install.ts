import type { Command } from 'commander';
import { packArchive, unpackArchive } from '../../../protocol/modules/archive.ts';
import { newModule } from '../../../protocol/modules/check.ts';
import type { Cli } from '../../cli.ts';
import { putContent } from '../../client/content.ts';
import { type JsonRecord, textsAt } from '../../json.ts';
import { readModuleDirectory } from '../../module/directory.ts';
import { withLock } from '../../module/locking.ts';
import { moduleTitle } from '../../module/object.ts';
import { type Format, outputOption, printValue } from '../../output/format.ts';

const EXAMPLES = `
Examples:
  dtkd module install web               the directory web, with its dtk.module.yaml
  dtkd module install web --dry-run     what it would change
  dtkd module install web --replace     another content under the same version, or an older version
  dtkd module install web --no-types    only to be staged: the node's types stay as they are
  dtkd module install web --update      chooses its dependencies anew, the newest that fit

A newer version's types replace the older one's; the older version stays, to be staged with --version. Dependencies are
chosen from what is here and what is released (and fetched), and written to dtk.lock.yaml in the module's
directory. Other nodes run its commands if their policy trusts this node: see "dtkd policy".`;

interface Flags {
  replace?: boolean;
  types: boolean;
  update?: boolean;
  dryRun?: boolean;
  output?: Format;
}

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<directory>')
    .option('--replace', 'even if this version exists with other content, or a newer one exists')
    .option('--no-types', "only for staging; leaves the node's types alone")
    .option('--update', 'choose its dependencies anew, ignoring the lock')
    .option('--dry-run', 'check only')
    .addOption(outputOption('json', 'yaml', 'name'))
    .addHelpText('after', EXAMPLES)
    .action(async (directory: string, flags: Flags) => {
      const files = await readModuleDirectory(directory);
      // faults of the module itself are reported before anything is sent
      const manifest = await newModule(unpackArchive(packArchive(files)));
      const client = await cli.client();
      const locked = await withLock(
        { cli, client, directory, update: flags.update === true, dryRun: flags.dryRun === true },
        manifest,
        files,
      );
      const { digest } = await putContent(client, packArchive(locked));
      const { replace, dryRun } = flags;
      const answer = await client.daemon('POST', 'modules', {
        digest,
        ...(replace === true ? { replace } : {}),
        ...(dryRun === true ? { dryRun } : {}),
        ...(flags.types ? {} : { types: false }),
      });
      if (flags.output === 'json' || flags.output === 'yaml') await printValue(cli.out, answer, flags.output);
      else cli.out.lines(flags.output === 'name' ? [moduleTitle(answer)] : reportLines(answer, flags));
    });
}

function reportLines(answer: JsonRecord, { dryRun, types }: Flags): string[] {
  const changes = (['created', 'changed', 'removed'] as const).flatMap((what) => {
    const types = textsAt(answer, 'changes', what);
    return types.length === 0 ? [] : [`  types ${what}: ${types.join(', ')}`];
  });
  const title = moduleTitle(answer);
  if (!types) return [dryRun === true ? `${title} could be staged here (dry run)` : `${title} can be staged here`];
  if (changes.length === 0) return [`${title} is installed; its types are unchanged`];
  return [dryRun === true ? `${title} would be installed (dry run)` : `Installed ${title}`, ...changes];
}
