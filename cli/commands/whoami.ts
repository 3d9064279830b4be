import type { Command } from 'commander';
import { capabilityKind } from '../../protocol/kinds/capability.ts';
import { trustKind } from '../../protocol/kinds/trust.ts';
import type { Cli } from '../cli.ts';
import { type ApiClient, TABLE } from '../client/api.ts';
import { listAt, textAt, textsAt } from '../json.ts';
import { type Format, outputOption, printValue } from '../output/format.ts';
import { parseTable, type Table, TablePrinter } from '../output/table.ts';

/** Capabilities and trusts read at a time. */
const PAGE_SIZE = 500;

const EXAMPLES = `
Examples:
  dtkd whoami
  dtkd --token @ops.token whoami        a user, with what owners on all nodes have granted to it

Whoever makes an object has every right on it besides. "dtkd can me VERB KIND/NAME" tells of one object of this node.`;

export function configure(command: Command, cli: Cli): void {
  command
    .addOption(outputOption('json', 'yaml'))
    .addHelpText('after', EXAMPLES)
    .action(async (flags: { output?: Format }) => {
      const client = await cli.client();
      const me = await client.daemon('GET', 'whoami');
      const display = textAt(me, 'display') ?? '';
      if (flags.output === 'json' || flags.output === 'yaml') return printValue(cli.out, me, flags.output);
      if (textAt(me, 'type') !== 'user')
        return cli.out.print(`The operator of ${textAt(me, 'node') ?? ''}: every right here, none on other nodes.`);
      cli.out.print(display);
      const trusts = await trustsOf(client, display);
      if (trusts.length > 0) cli.out.print(`Member of ${trusts.join(', ')}: "dtkd trust show" tells what is shared there.`);
      await printGrants(cli, client, [display, ...trusts.map((trust) => `trust:${trust}`)]);
    });
}

/** What was granted by name and through trusts, as one table. */
async function printGrants(cli: Cli, client: ApiClient, names: readonly string[]): Promise<void> {
  let whole: Table | undefined;
  for (const name of names) {
    for await (const page of client.pages({ kind: capabilityKind }, { fieldSelector: `spec.to=${name}` }, PAGE_SIZE, TABLE)) {
      const table = parseTable(page);
      if (whole === undefined) whole = table;
      else whole.rows.push(...(table?.rows ?? []));
    }
  }
  if (whole === undefined || whole.rows.length === 0) return cli.out.print('Nothing is granted to it by name.');
  cli.out.print('');
  new TablePrinter({ wide: false, namespaces: false, prefix: '', headers: true }, (lines) => cli.out.lines(lines)).print(whole);
}

async function trustsOf(client: ApiClient, display: string): Promise<string[]> {
  const found: string[] = [];
  for await (const page of client.pages({ kind: trustKind }, {}, PAGE_SIZE)) {
    for (const trust of listAt(page, 'items')) {
      if (!textsAt(trust, 'spec', 'members').includes(display)) continue;
      found.push(`${textAt(trust, 'metadata', 'name') ?? ''}@${textAt(trust, 'metadata', 'namespace') ?? ''}`);
    }
  }
  return found;
}
