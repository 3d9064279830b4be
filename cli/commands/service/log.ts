import type { Command } from 'commander';
import { serviceLog } from '../../../protocol/requests/service.ts';
import { ageOf } from '../../../protocol/text/age.ts';
import type { Cli } from '../../cli.ts';
import { named, serviceTarget } from '../../client/services.ts';
import { alignColumns } from '../../output/columns.ts';
import { type Format, outputOption, printValue } from '../../output/format.ts';
import { addNodeFlag, type NodeFlag } from '../../service/flags.ts';

const EXAMPLES = `
Examples:
  dtkd service log shop                 commits, newest first; "applied" is how it was last converged
  dtkd service log shop -o wide         whole ids and messages
  git -C "$(dtkd service path shop)" log -p    the same with git`;

/** Digits of a commit that are shown. */
const SHORT_COMMIT = 8;

export function configure(command: Command, cli: Cli): void {
  addNodeFlag(command.argument('<service>'))
    .addOption(outputOption('json', 'yaml', 'wide'))
    .addHelpText('after', EXAMPLES)
    .action(async (name: string) => {
      const flags = command.optsWithGlobals<NodeFlag & { output?: Format }>();
      const client = await cli.client();
      const answer = await client.call('GET', serviceTarget(named(name, flags), 'log'));
      if (flags.output === 'json' || flags.output === 'yaml') return printValue(cli.out, answer, flags.output);
      const wide = flags.output === 'wide';
      const rows = serviceLog
        .parse(answer)
        .commits.map(({ id, message, author, at, applied }) => [
          wide ? id : id.slice(0, SHORT_COMMIT),
          ageOf(at, Date.now()),
          author,
          applied ? 'applied' : '',
          wide ? message.trim() : (message.split('\n')[0] ?? ''),
        ]);
      cli.out.lines(alignColumns([['COMMIT', 'AGE', 'AUTHOR', '', 'MESSAGE'], ...rows]));
    });
}
