import type { Command } from 'commander';
import { scopeText } from '../../../protocol/kinds/capability.ts';
import { shareKind, shareSchema } from '../../../protocol/kinds/share.ts';
import { trustSchema } from '../../../protocol/kinds/trust.ts';
import type { Cli } from '../../cli.ts';
import type { ApiClient } from '../../client/api.ts';
import { displayOfTrust, trustTarget } from '../../client/trusts.ts';
import { isRecord, type JsonRecord, listAt, textAt } from '../../json.ts';
import { type Format, outputOption, printValue } from '../../output/format.ts';

const EXAMPLES = `
Examples:
  dtkd trust show research
  dtkd trust show research@node0 -o yaml`;

const PAGE_SIZE = 500;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<trust>', 'TRUST, or TRUST@NODE')
    .addOption(outputOption('json', 'yaml'))
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, flags: { output?: Format }) => {
      const client = await cli.client();
      const trust = await client.get(trustTarget(name));
      const shares = await sharesInto(client, trust);
      if (flags.output === 'json' || flags.output === 'yaml') return printValue(cli.out, { trust, shares }, flags.output);
      cli.out.lines(linesOf(trust, shares));
    });
}

/**
 * The shares into a trust, of all nodes that this one knows of. They are found by the name that each owner has for the trust, which almost
 * always is the same. Shares into an earlier trust of that name are left out, since they give this one nothing.
 */
async function sharesInto(client: ApiClient, trust: JsonRecord): Promise<JsonRecord[]> {
  const uid = textAt(trust, 'metadata', 'uid');
  const found: JsonRecord[] = [];
  for await (const page of client.pages({ kind: shareKind }, { fieldSelector: `spec.trust=${displayOfTrust(trust)}` }, PAGE_SIZE)) {
    for (const item of listAt(page, 'items')) if (isRecord(item) && textAt(item, 'subject', 'uid') === uid) found.push(item);
  }
  return found;
}

/** A trust, as lines for people. Pure. */
export function linesOf(trust: JsonRecord, shares: readonly JsonRecord[]): string[] {
  const { spec, members } = trustSchema.safeParse(trust).data ?? {};
  return [
    `Trust:    ${displayOfTrust(trust)}`,
    ...(spec?.description === undefined ? [] : [`For:      ${spec.description}`]),
    `Members:  ${(members ?? []).map(({ display }) => display).join(', ') || 'none'}`,
    ...(shares.length === 0 ? ['Shared:   nothing yet'] : ['Shared:']),
    ...shares.map((share) => {
      const said = shareSchema.safeParse(share).data?.spec;
      const until = said?.expires === undefined ? '' : ` until ${said.expires}`;
      return `  ${textAt(share, 'metadata', 'name') ?? ''}  ${textAt(share, 'metadata', 'namespace') ?? ''}: ${scopeText(said?.on)}  ${said?.verbs.join(',') ?? ''}${until}`;
    }),
  ];
}
