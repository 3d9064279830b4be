import { type Command, Option } from 'commander';
import type { CheckState } from '../../protocol/requests/checkup.ts';
import type { Cli, GlobalFlags } from '../cli.ts';
import { type Format, outputOption, printValue } from '../output/format.ts';

/** Exit status if there is a problem. */
const PROBLEMS = 26;

const EXAMPLES = `
Examples:
  dtkd doctor                        this machine, and the daemon if it runs
  dtkd doctor --data /var/lib/dtkd   of that data directory
  dtkd doctor --only problem         what is fine is left out, and warnings too
  dtkd doctor -o json

Nothing is changed, and no secrets are shown. Exit status 26: there is a problem; 0: none,
though there may be warnings.`;

interface Flags extends GlobalFlags {
  output?: Format;
  only?: CheckState;
}

export function configure(command: Command, cli: Cli): void {
  command
    .addOption(outputOption('json', 'yaml', 'wide'))
    .addOption(new Option('--only <state>', 'only results at least this bad').choices(['warning', 'problem']))
    .addHelpText('after', EXAMPLES)
    .action(async () => {
      const { output, only, ...flags } = command.optsWithGlobals<Flags>();
      const [{ examine }, { reportLines, shown }] = await Promise.all([import('../doctor/examine.ts'), import('../doctor/report.ts')]);
      const examined = await examine(cli, flags);
      if (examined.state === 'problem') cli.exitWith(PROBLEMS);
      const findings = shown(examined.findings, only);
      if (output === 'json' || output === 'yaml') return printValue(cli.out, { ...examined, findings }, output);
      cli.out.lines(reportLines(cli.out, findings, { wide: output === 'wide', all: examined.findings.length }));
    });
}
