import type { Command } from 'commander';
import { copiesDiff } from '../../../protocol/requests/service.ts';
import type { Cli, GlobalFlags } from '../../cli.ts';
import { named, nodeWords, serviceTarget } from '../../client/services.ts';
import { line } from '../../dispatch/conclude.ts';
import { alignColumns } from '../../output/columns.ts';
import { type Format, outputOption, printValue } from '../../output/format.ts';
import { fileLines } from '../../service/difference-lines.ts';
import { addNodeFlag, type NodeFlag } from '../../service/flags.ts';

const EXAMPLES = `
Examples:
  dtkd service diff-module shop              all module copies against what they were made from
  dtkd service diff-module shop acme/web     one, with the lines that differ`;

export function configure(command: Command, cli: Cli): void {
  addNodeFlag(command.argument('<service>').argument('[module]'))
    .addOption(outputOption('json', 'yaml'))
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, module: string | undefined) => {
      const flags = command.optsWithGlobals<GlobalFlags & NodeFlag & { output?: Format }>();
      const service = named(name, flags);
      const client = await cli.client();
      const answer = await client.call('GET', { ...serviceTarget(service, 'modules'), query: module === undefined ? {} : { module } });
      if (flags.output === 'json' || flags.output === 'yaml') return printValue(cli.out, answer, flags.output);
      const { copies } = copiesDiff.parse(answer);
      if (copies.length === 0) return cli.out.note('It has no copies of modules.');
      const rows = copies.map((copy) => [
        copy.module,
        copy.version,
        copy.base === undefined
          ? 'not here any more'
          : copy.files.length === 0
            ? 'none'
            : `${copy.files.length} ${copy.files.length === 1 ? 'file' : 'files'}`,
        copy.newest ?? '',
      ]);
      cli.out.lines(alignColumns([['MODULE', 'VERSION', 'CHANGED', 'NEWER'], ...rows]));
      const paint = cli.out.paint.bind(cli.out);
      for (const copy of copies) cli.out.lines(fileLines(paint, copy.files, module !== undefined));
      const newer = copies.find(({ newest }) => newest !== undefined);
      if (newer !== undefined)
        cli.out.note(
          `Update the copy to a newer version: ${line(flags, 'service', 'pull-module', service.name, newer.module, ...nodeWords(service))}`,
        );
      const changed = copies.find(({ files }) => files.length > 0);
      if (changed !== undefined) {
        cli.out.note(
          `Make a version of the module from the copy: ${line(flags, 'service', 'push-module', service.name, changed.module, ...nodeWords(service))}`,
        );
      }
    });
}
