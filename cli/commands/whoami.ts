import type { Command } from 'commander';
import { capabilityKind } from '../../protocol/kinds/capability.ts';
import { trustKind } from '../../protocol/kinds/trust.ts';
import { SELF } from '../../protocol/rights/principal.ts';
import type { Cli } from '../cli.ts';
import { type ApiClient, TABLE } from '../client/api.ts';
import { displayOfTrust } from '../client/trusts.ts';
import { isRecord, listAt, textAt, textsAt, valueAt } from '../json.ts';
import { type Format, outputOption, printValue } from '../output/format.ts';
import { parseTable, type Table, TablePrinter } from '../output/table.ts';

/** Page size for capabilities and trusts. */
const PAGE_SIZE = 500;

const EXAMPLES = `
Examples:
  dtkd whoami
  dtkd --token @ops.token whoami        a user, with what owners on all nodes have granted to it

In addition, the creator of an object has every right on it. "dtkd can me VERB KIND/NAME" checks one object of this node.`;

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
      const uid = textAt(me, 'uid') ?? '';
      const user = { name: display, uid, ...(valueAt(me, 'keys') === undefined ? {} : { keys: textsAt(me, 'keys') }) };
      const trusts = await trustsOf(client, user);
      if (trusts.length > 0) {
        cli.out.print(`Member of ${trusts.map(({ name }) => name).join(', ')}: "dtkd trust show" tells what is shared there.`);
      }
      await printGrants(cli, client, [user, ...trusts.map((trust) => ({ ...trust, name: `trust:${trust.name}` }))]);
    });
}

/**
 * A user or trust that a capability may name. A name can have belonged to another one before, so the uid is compared as well and, for a
 * user, the key of its node.
 */
interface Recipient {
  name: string;
  uid: string;
  /** Keys of the node that vouches for it. Undefined: not compared. */
  keys?: readonly string[];
}

/** True if `subject` is this recipient, not an earlier one of its name. */
function isMeant(subject: unknown, { uid, keys }: Recipient): boolean {
  const home = textAt(subject, 'home');
  return textAt(subject, 'uid') === uid && (keys === undefined || home === undefined || home === SELF || keys.includes(home));
}

/** Prints what is granted directly and through trusts, as one table. */
async function printGrants(cli: Cli, client: ApiClient, recipients: readonly Recipient[]): Promise<void> {
  const target = { kind: capabilityKind, query: { includeObject: 'Object' } };
  let whole: Table | undefined;
  let earlier = 0;
  for (const recipient of recipients) {
    for await (const page of client.pages(target, { fieldSelector: `spec.to=${recipient.name}` }, PAGE_SIZE, TABLE)) {
      const named = listAt(page, 'rows');
      const rows = named.filter((row) => isMeant(valueAt(row, 'object', 'subject'), recipient));
      earlier += named.length - rows.length;
      const table = parseTable({ ...page, rows });
      if (whole === undefined) whole = table;
      else whole.rows.push(...(table?.rows ?? []));
    }
  }
  if (whole === undefined || whole.rows.length === 0) cli.out.print('Nothing is granted to it by name.');
  else {
    cli.out.print('');
    new TablePrinter({ wide: false, namespaces: true, prefix: '', headers: true }, (lines) => cli.out.lines(lines)).print(whole);
  }
  if (earlier > 0) cli.out.note(`note: not shown, because they give it nothing: ${earlier} granted to earlier users of the same name`);
}

/** Trusts that the user is a member of. */
async function trustsOf(client: ApiClient, user: Recipient): Promise<Recipient[]> {
  const found: Recipient[] = [];
  for await (const page of client.pages({ kind: trustKind }, {}, PAGE_SIZE)) {
    for (const trust of listAt(page, 'items').filter(isRecord)) {
      if (!listAt(trust, 'members').some((member) => isMeant(member, user))) continue;
      found.push({ name: displayOfTrust(trust), uid: textAt(trust, 'metadata', 'uid') ?? '' });
    }
  }
  return found;
}
