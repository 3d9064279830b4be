import type { Command } from 'commander';
import type { Cli } from '../../cli.ts';
import { named, readServiceFile, serviceTarget } from '../../client/services.ts';
import { addListFlag, type ListNames } from '../../input/list-flag.ts';
import { type Format, outputOption, printValue } from '../../output/format.ts';
import { addNodeFlag, type NodeFlag } from '../../service/flags.ts';
import { namesWithin } from '../../service/names.ts';
import { readService } from '../../service/service-file.ts';
import { showLines } from '../../service/show-lines.ts';

const EXAMPLES = `
Examples:
  dtkd service show shop                its components, what can be set and what is set, workflows, apps
  dtkd service show shop --file         dtk.service.yaml as it stands
  dtkd service show shop -o yaml        the object`;

interface Flags extends NodeFlag, ListNames {
  file?: boolean;
  output?: Format;
}

export function configure(command: Command, cli: Cli): void {
  addNodeFlag(addListFlag(command.argument('<service>')))
    .option('--file', 'print its file')
    .addOption(outputOption('json', 'yaml'))
    .addHelpText('after', EXAMPLES)
    .action(async (name: string) => {
      const flags = command.optsWithGlobals<Flags>();
      const service = named(name, flags);
      const client = await cli.client();
      if (flags.list !== undefined) return cli.out.lines(await namesWithin(client, service, flags.list));
      if (flags.file === true) {
        process.stdout.write((await readServiceFile(client, service)).content);
        return;
      }
      const [object, view] = await Promise.all([
        client.get(serviceTarget(service)),
        flags.output === undefined ? readService(client, service) : undefined,
      ]);
      if (flags.output === 'json' || flags.output === 'yaml') return printValue(cli.out, object, flags.output);
      if (view !== undefined) cli.out.lines(showLines(object, view));
    });
}
