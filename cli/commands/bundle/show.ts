import type { Command } from 'commander';
import type { Cli } from '../../cli.ts';
import { type Format, outputOption, printValue } from '../../output/format.ts';
import { inspectFile } from '../../parcel/contents.ts';
import { bundleFile } from '../../parcel/file-name.ts';
import { contentLines, titleLine } from '../../parcel/report.ts';

const EXAMPLES = `
Examples:
  dtkd bundle show week.dtkd
  dtkd bundle show week.dtkd -o json

Checks that the file is whole and correctly signed, without a daemon. To check whether its maker is a member of the
domain, use "dtkd bundle import FILE --dry-run".`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<file>', '', bundleFile)
    .addOption(outputOption('json', 'yaml'))
    .addHelpText('after', EXAMPLES)
    .action(async (file: string, flags: { output?: Format }) => {
      const { heads: _heads, ...contents } = await inspectFile(file);
      if (flags.output === 'json' || flags.output === 'yaml') return printValue(cli.out, contents, flags.output);
      cli.out.lines([titleLine(contents, Date.now()), ...contentLines(contents)]);
    });
}
