import type { Command } from 'commander';
import type { Cli } from '../../cli.ts';
import { chooseDomains } from '../../client/domains.ts';
import { textAt, textsAt } from '../../json.ts';
import { findModule, moduleTitle, splitVersion } from '../../module/object.ts';
import { type Format, outputOption, printValue } from '../../output/format.ts';

const EXAMPLES = `
Examples:
  dtkd module publish acme/web                      to the members of the only domain that this node is in
  dtkd module publish acme/web@1.2.0 --domain lab office

Members fetch it with "dtkd module fetch", from whoever has it, even while this node is away. Publishing again changes
which domains see it. A node can only publish modules that it installed itself: the publisher signs them.`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<name>', "NAME, for the version whose types are the node's, or NAME@VERSION")
    .option('--domain <name...>', 'domains whose members can fetch it (default: the only one)')
    .addOption(outputOption('json', 'yaml', 'name'))
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, flags: { domain?: string[]; output?: Format }) => {
      const client = await cli.client();
      const domains = await chooseDomains(client, flags.domain);
      const { spec } = name.includes('/') ? { spec: splitVersion(name) } : await findModule(client, name);
      const meant = { module: textAt(spec, 'module'), version: textAt(spec, 'version') };
      const release = await client.daemon('POST', 'module-publish', { ...meant, domains });
      if (flags.output === 'json' || flags.output === 'yaml') return printValue(cli.out, release, flags.output);
      if (flags.output === 'name') return cli.out.print(moduleTitle(release));
      cli.out.print(`Published ${moduleTitle(release)} to ${textsAt(release, 'spec', 'domains').join(', ')}.`);
    });
}
