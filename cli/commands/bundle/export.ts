import { type Command, Option } from 'commander';
import type { Cli } from '../../cli.ts';
import { exportParcel } from '../../client/parcels.ts';
import { type Format, outputOption, printValue } from '../../output/format.ts';
import { ProgressLine } from '../../output/progress-line.ts';
import { formatSize } from '../../output/size.ts';
import { bundleFile } from '../../parcel/file-name.ts';
import { contentLines } from '../../parcel/report.ts';
import { readSince } from '../../parcel/since.ts';
import { collect } from '../../service/flags.ts';

const EXAMPLES = `
Examples:
  dtkd bundle export week.dtkd                            all that a node on the other side needs
  dtkd bundle export week.dtkd --since theirs.dtkd        what is not in the last bundle of the other side
  dtkd bundle export week.dtkd --since 7d                 what is newer than the bundle made or taken in here by then
  dtkd bundle export week.dtkd --modules acme/web --orders none

Take the file to a node of the same domain that has no connection, and run "dtkd bundle import FILE" there. Logs and
modules in it can be read by whoever has the file; orders and answers cannot. See docs/airgap.md.`;

interface Flags {
  domain?: string[];
  since?: string;
  modules?: string;
  orders: 'all' | 'none';
  replace?: boolean;
  output?: Format;
}

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<file>', 'where to write it', bundleFile)
    .option('--domain <name>', 'a domain to include; may be repeated (default: the only one of this node)', collect)
    .option('--since <file|time>', 'leave out what is in a bundle, or what was exported or imported by then: 2026-11-20, 2d')
    .option(
      '--modules <names>',
      'modules to include, joined by commas; all, none, or needed: those offered to members, or run by waiting orders (default: needed)',
    )
    .addOption(new Option('--orders <which>', 'waiting orders, and answers to others').choices(['all', 'none']).default('all'))
    .option('--replace', 'overwrite an existing file')
    .addOption(outputOption('json', 'yaml'))
    .addHelpText('after', EXAMPLES)
    .action(async (file: string, flags: Flags) => {
      const since = flags.since === undefined ? undefined : await readSince(flags.since, Date.now());
      const client = await cli.client();
      const line = new ProgressLine(`Writing ${file}`, cli.out.interactive ? (text) => void process.stderr.write(text) : undefined);
      const request = {
        ...(flags.domain === undefined ? {} : { domains: flags.domain }),
        ...(since === undefined ? {} : { since }),
        ...(flags.modules === undefined ? {} : { modules: modulesOf(flags.modules) }),
        orders: flags.orders,
      };
      const made = await exportParcel(client, request, file, {
        replace: flags.replace === true,
        onProgress: (done) => line.show(done),
      }).finally(() => line.clear());
      const { heads: _heads, ...contents } = made;
      if (flags.output === 'json' || flags.output === 'yaml') return printValue(cli.out, { file, ...contents }, flags.output);
      cli.out.lines([`Wrote ${file}, ${formatSize(made.bytes)}`, ...contentLines(made).map((line) => `  ${line}`)]);
    });
}

function modulesOf(text: string): 'needed' | 'all' | 'none' | string[] {
  if (text === 'needed' || text === 'all' || text === 'none') return text;
  return text.split(',').filter((name) => name !== '');
}
