import type { Command } from 'commander';
import { DtkdError } from '../../../protocol/errors.ts';
import type { Cli } from '../../cli.ts';
import { textAt } from '../../json.ts';
import { followModules, neededText } from '../../module/following.ts';
import { splitVersion } from '../../module/object.ts';
import { escapeControls } from '../../output/escape.ts';
import { type Format, outputOption, printValue } from '../../output/format.ts';

const EXAMPLES = `
Examples:
  dtkd module fetch acme/web                the newest release
  dtkd module fetch 'acme/web@^1.2'         the newest in a range
  dtkd module fetch acme/web --from node2   if several nodes publish one of that name

It comes with its dependencies from all members that have it, in pieces that are verified one by one. An interrupted fetch
resumes. The module can then be staged; only "dtkd module install" from a directory makes its types the node's.`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<wanted>', 'NAME or NAME@RANGE')
    .option('--from <node>', 'the node that publishes it')
    .addOption(outputOption('json', 'yaml', 'name'))
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, flags: { from?: string; output?: Format }) => {
      const { module, version: range } = splitVersion(name);
      if (!module.includes('/')) {
        throw new DtkdError('BAD_REQUEST', `"${name.slice(0, 120)}" is not the name of a module`, {
          next: 'Write it like acme/web. See "dtkd get releases" for those that can be fetched.',
        });
      }
      const client = await cli.client();
      const { from } = flags;
      const done = await followModules(cli, client, 'module-fetch', {
        module,
        ...(range === undefined ? {} : { range }),
        ...(from === undefined ? {} : { from }),
      });
      if (flags.output === 'json' || flags.output === 'yaml') return printValue(cli.out, done, flags.output);
      const title = `${textAt(done, 'module') ?? ''} ${textAt(done, 'version') ?? ''}`;
      if (flags.output === 'name') return cli.out.print(title);
      const needed = neededText(done);
      const how = done['known'] === true ? 'is here already' : 'can be staged here';
      cli.out.print(
        escapeControls(`${title}, published by ${textAt(done, 'publisher') ?? ''}, ${how}${needed === '' ? '' : `, with ${needed}`}.`),
      );
    });
}
