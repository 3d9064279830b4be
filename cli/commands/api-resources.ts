import type { Command } from 'commander';
import { KINDS } from '../../protocol/kinds/index.ts';
import { apiVersionOf } from '../../protocol/kinds/kind.ts';
import type { Cli } from '../cli.ts';
import { alignColumns } from '../output/columns.ts';
import { type Format, outputOption } from '../output/format.ts';

const EXAMPLES = `
Examples:
  dtkd api-resources
  dtkd api-resources -o wide      with verbs and a description`;

export function configure(command: Command, cli: Cli): void {
  command
    .addOption(outputOption('wide', 'name'))
    .addHelpText('after', EXAMPLES)
    .action((flags: { output?: Format }) => {
      if (flags.output === 'name') {
        cli.out.lines(KINDS.map((kind) => (kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`)));
        return;
      }
      const wide = flags.output === 'wide';
      cli.out.lines(
        alignColumns([
          ['NAME', 'SHORTNAMES', 'APIVERSION', 'NAMESPACED', 'KIND', ...(wide ? ['VERBS', 'DESCRIPTION'] : [])],
          ...KINDS.map((kind) => [
            kind.plural,
            kind.shortNames.join(','),
            apiVersionOf(kind),
            String(kind.scope === 'Namespaced'),
            kind.kind,
            ...(wide ? [kind.verbs.join(','), kind.description] : []),
          ]),
        ]),
      );
    });
}
