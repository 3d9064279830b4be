import { join } from 'node:path';
import type { Command } from 'commander';
import { MANIFEST_FILE } from '../../../protocol/definitions/module.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { digestOf, packArchive, unpackArchive } from '../../../protocol/modules/archive.ts';
import { allFaults, checkModule } from '../../../protocol/modules/check.ts';
import { placedFaults } from '../../../protocol/modules/places.ts';
import type { Cli } from '../../cli.ts';
import { readModuleDirectory } from '../../module/directory.ts';
import { type Format, outputOption, printValue } from '../../output/format.ts';

const EXAMPLES = `
Examples:
  dtkd module validate web              lists all that is wrong; no daemon is needed
  dtkd module validate web -o json

To check it against a node's other types and resources, use "dtkd module install --dry-run". Exit status 2: there are
errors.`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<directory>')
    .addOption(outputOption('json', 'yaml'))
    .addHelpText('after', EXAMPLES)
    .action(async (directory: string, flags: { output?: Format }) => {
      const bytes = packArchive(await readModuleDirectory(directory));
      const archive = unpackArchive(bytes);
      const manifestText = new TextDecoder().decode(archive.files.find(({ path }) => path === MANIFEST_FILE)?.data);
      const faults = await placedFaults(manifestText, await allFaults(archive), join(directory, MANIFEST_FILE));
      const form = flags.output === 'json' || flags.output === 'yaml' ? flags.output : undefined;
      if (form !== undefined) await printValue(cli.out, { digest: digestOf(bytes), valid: faults.length === 0, faults }, form);
      if (faults.length > 0) {
        const list =
          form === undefined ? `\n  ${faults.map(({ place, field, message }) => `${place}: ${field}: ${message}`).join('\n  ')}` : '';
        const count = faults.length === 1 ? 'one thing is' : `${faults.length} things are`;
        throw new DtkdError('INVALID', `${directory}/${MANIFEST_FILE}: ${count} wrong${list}`);
      }
      if (form !== undefined) return;
      const { manifest } = await checkModule(archive);
      const types = Object.keys(manifest.types ?? {});
      cli.out.print(
        `${manifest.module} ${manifest.version} is valid: ${archive.files.length} ${archive.files.length === 1 ? 'file' : 'files'}, ${types.length === 0 ? 'no types' : `types ${types.join(', ')}`}`,
      );
    });
}
