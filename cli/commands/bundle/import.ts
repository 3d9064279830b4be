import { stat } from 'node:fs/promises';
import type { Command } from 'commander';
import type { Cli } from '../../cli.ts';
import { importParcel } from '../../client/parcels.ts';
import { type Format, outputOption, printValue } from '../../output/format.ts';
import { ProgressLine } from '../../output/progress-line.ts';
import { bundleFile } from '../../parcel/file-name.ts';
import { importLines } from '../../parcel/report.ts';

const EXAMPLES = `
Examples:
  dtkd bundle import week.dtkd
  dtkd bundle import week.dtkd --dry-run      checks it, and tells what is new in it

Bundles may come in any order and more than once. A file that is damaged or altered, or whose maker is not a member of
the domain, is refused as a whole. If only single items are refused, they are listed, and the exit status is 0.`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<file>', '', bundleFile)
    .option('--dry-run', 'change nothing')
    .addOption(outputOption('json', 'yaml'))
    .addHelpText('after', EXAMPLES)
    .action(async (file: string, flags: { dryRun?: boolean; output?: Format }) => {
      const size = (await stat(file).catch(() => undefined))?.size ?? 0;
      const client = await cli.client();
      const line = new ProgressLine(`Reading ${file}`, cli.out.interactive ? (text) => void process.stderr.write(text) : undefined);
      const report = await importParcel(client, file, {
        dryRun: flags.dryRun === true,
        onProgress: (done) => line.show(done, size),
      }).finally(() => line.clear());
      if (flags.output === 'json' || flags.output === 'yaml') return printValue(cli.out, report, flags.output);
      cli.out.lines(importLines(report));
    });
}
