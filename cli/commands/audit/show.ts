import type { Command } from 'commander';
import type { Cli } from '../../cli.ts';
import { listAt, numberAt, textAt } from '../../json.ts';
import { alignColumns } from '../../output/columns.ts';
import { escapeControls } from '../../output/escape.ts';
import { type Format, outputOption, printValue, toJson, toYaml } from '../../output/format.ts';

const EXAMPLES = `
Examples:
  dtkd audit show                          the last 100 lines
  dtkd audit show --who ops@node1 --what resources
  dtkd audit show --verb delete
  dtkd audit show -f                       and what comes
  dtkd audit show --limit 10000 -o json`;

interface ShowFlags {
  limit?: string;
  who?: string;
  verb?: string;
  what?: string;
  follow?: boolean;
  output?: Format;
}

const HEADINGS = ['TIME', 'SEQ', 'WHO', 'VERB', 'WHAT', 'OUTCOME', 'BECAUSE'];

export function configure(command: Command, cli: Cli): void {
  command
    .option('--limit <count>', 'how many lines, the newest ones (default: 100)')
    .option('--who <text>', 'only lines whose user contains this')
    .option('--verb <text>', 'only lines whose verb contains this')
    .option('--what <text>', 'only lines whose object path contains this')
    .option('-f, --follow', 'follow new lines')
    .addOption(outputOption('json', 'yaml'))
    .addHelpText('after', EXAMPLES)
    .action(async ({ output, limit, who, verb, what, follow }: ShowFlags) => {
      const client = await cli.client();
      const asked = { limit, who, verb, what, follow: follow === true ? 'true' : undefined };
      const query = new URLSearchParams();
      for (const [key, value] of Object.entries(asked)) if (value !== undefined) query.set(key, value);
      const path = `audit/show?${query}`;
      if (follow === true) {
        for await (const line of client.daemonLines(path)) {
          if (output === 'yaml') cli.out.print(`---\n${await toYaml(line)}`);
          else cli.out.print(output === 'json' ? toJson(line, 0) : cellsOf(line).join('  '));
        }
        return;
      }
      const answer = await client.daemon('GET', path);
      if (output === 'json' || output === 'yaml') return printValue(cli.out, answer, output);
      const lines = listAt(answer, 'items');
      if (lines.length === 0) return cli.out.note('There are no such lines.');
      cli.out.lines(alignColumns([HEADINGS, ...lines.map(cellsOf)]));
    });
}

function cellsOf(line: unknown): string[] {
  return [
    textAt(line, 'time') ?? '',
    String(numberAt(line, 'seq') ?? ''),
    ...['who', 'verb', 'what', 'outcome', 'because'].map((field) => escapeControls(textAt(line, field) ?? '')),
  ];
}
