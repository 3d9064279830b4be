import type { Command } from 'commander';
import { serviceDiff } from '../../../protocol/requests/service.ts';
import type { Cli } from '../../cli.ts';
import { named, serviceTarget } from '../../client/services.ts';
import { type Format, outputOption, printValue } from '../../output/format.ts';
import { differenceLines, fileLines } from '../../service/difference-lines.ts';
import { addNodeFlag, type NodeFlag } from '../../service/flags.ts';

const EXAMPLES = `
Examples:
  dtkd service diff shop                    what was changed since it was last converged, by kind, with old and new value
  dtkd service diff shop --from HEAD        what was edited since the last commit
  dtkd service diff shop --from HEAD~2 --to HEAD
  dtkd service diff shop --files            with the lines of each file that differs`;

interface Flags extends NodeFlag {
  from?: string;
  to?: string;
  files?: boolean;
  output?: Format;
}

export function configure(command: Command, cli: Cli): void {
  addNodeFlag(command.argument('<service>'))
    .option('--from <commit>', 'a commit, HEAD, HEAD~2 or applied (default: applied, or HEAD before the first converge)')
    .option('--to <commit>', 'a commit (default: the files as they are)')
    .option('--files', 'show lines of files, too')
    .addOption(outputOption('json', 'yaml'))
    .addHelpText('after', EXAMPLES)
    .action(async (name: string) => {
      const flags = command.optsWithGlobals<Flags>();
      const { from, to } = flags;
      const query = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
      const client = await cli.client();
      const answer = await client.call('GET', { ...serviceTarget(named(name, flags), 'diff'), query });
      if (flags.output === 'json' || flags.output === 'yaml') return printValue(cli.out, answer, flags.output);
      const { differences, files } = serviceDiff.parse(answer);
      const paint = cli.out.paint.bind(cli.out);
      if (differences.length === 0 && files.length === 0) return cli.out.note('No differences.');
      const lines = differenceLines(paint, differences);
      cli.out.lines(lines);
      // files whose changes make no difference in meaning are at least named
      if (flags.files === true || lines.length === 0) cli.out.lines(fileLines(paint, files, flags.files === true));
    });
}
