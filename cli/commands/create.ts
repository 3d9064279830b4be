import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { THIS_NODE } from '../client/api.ts';
import { readDocuments } from '../input/documents.ts';
import { type JsonRecord, textAt } from '../json.ts';
import { fullName, requireKindOf } from '../kinds.ts';
import { type Format, outputOption } from '../output/format.ts';
import { named, printObjects } from './apply.ts';

const EXAMPLES = `
Examples:
  dtkd create -f wiki.yaml               fails for what exists already; see "dtkd apply"
  dtkd create -f - --dry-run < app.json`;

interface CreateFlags {
  filename: string[];
  namespace?: string;
  dryRun?: boolean;
  output?: Format;
}

export function configure(command: Command, cli: Cli): void {
  command
    .requiredOption('-f, --filename <file...>', 'file, directory, or - for standard input')
    .option('-n, --namespace <node>', 'node that will own the objects')
    .option('--dry-run', 'check only')
    .addOption(outputOption('json', 'yaml', 'name'))
    .addHelpText('after', EXAMPLES)
    .action(async () => {
      const flags = command.optsWithGlobals<CreateFlags>();
      const documents = await readDocuments(flags.filename);
      const client = await cli.client();
      const done: { object: JsonRecord }[] = [];
      for (const source of documents) {
        const { document } = source;
        try {
          const kind = requireKindOf(document);
          const namespace = flags.namespace ?? textAt(document, 'metadata', 'namespace') ?? THIS_NODE;
          const object = await client.create({ kind, namespace }, document, { dryRun: flags.dryRun });
          const name = fullName(kind, textAt(object, 'metadata', 'name') ?? '');
          done.push({ object });
          if (flags.output === 'name') cli.out.print(name);
          else if (flags.output === undefined) cli.out.print(`${name} created${flags.dryRun === true ? ' (dry run)' : ''}`);
        } catch (error) {
          cli.failed(named(error, source));
        }
      }
      if (flags.output === 'json' || flags.output === 'yaml') await printObjects(cli, done, flags.output);
    });
}
