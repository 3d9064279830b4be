import type { Command } from 'commander';
import { DtkdError } from '../../protocol/errors.ts';
import type { Cli } from '../cli.ts';
import { parseVerbs } from '../input/scope.ts';
import { booleanAt, textAt } from '../json.ts';
import { type Format, outputOption, printValue } from '../output/format.ts';

/** As in grep: no match is neither success nor an error. */
const EXIT_NO = 1;

const EXAMPLES = `
Examples:
  dtkd can ops@node1 EXECUTE resource/web/front1       resource front1 of model web
  dtkd can ops@node1 REQUEST dtapp/wiki
  dtkd can me READ models                              what the token that you use may do

Answers yes or no, and why; the exit status is 0 for yes and ${EXIT_NO} for no.`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<who>', 'USER@NODE, or me')
    .argument('<verb>')
    .argument('<what>', 'KIND, KIND/NAME, or resource/MODEL/NAME')
    .addOption(outputOption('json', 'yaml'))
    .addHelpText('after', EXAMPLES)
    .action(async (who: string, verbText: string, what: string, flags: { output?: Format }) => {
      const [verb, ...more] = parseVerbs(verbText);
      if (verb === undefined || more.length > 0) throw new DtkdError('BAD_REQUEST', 'ask for one verb at a time');
      const client = await cli.client();
      const query = new URLSearchParams({ ...(who === 'me' ? {} : { who }), verb, what });
      const answer = await client.daemon('GET', `can?${query.toString()}`);
      const allowed = booleanAt(answer, 'allowed');
      if (flags.output === 'json' || flags.output === 'yaml') await printValue(cli.out, answer, flags.output);
      else if (allowed) cli.out.print(`yes: ${textAt(answer, 'because') ?? ''}`);
      else cli.out.print(`no: ${textAt(answer, 'reason') ?? ''}`);
      if (!allowed) cli.exitWith(EXIT_NO);
    });
}
