import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { listApps } from '../client/apps.ts';
import { domainTarget, listDomains, parseDomainInfo } from '../client/domains.ts';
import { isRecord, type JsonRecord, textAt } from '../json.ts';
import { type Format, outputOption, printValue } from '../output/format.ts';
import { statusLines } from '../output/status.ts';

const EXAMPLES = `
Examples:
  dtkd status
  dtkd status -o json

Exit status 9: no daemon is running.`;

export function configure(command: Command, cli: Cli): void {
  command
    .addOption(outputOption('json', 'yaml'))
    .addHelpText('after', EXAMPLES)
    .action(async (flags: { output?: Format }) => {
      const client = await cli.client();
      const [status, domains, apps] = await Promise.all([client.daemon('GET', 'status'), listDomains(client), listApps(client)]);
      const views = await Promise.all(
        domains.map(async (domain) => viewOf(domain, await membersOf(textAt(domain, 'metadata', 'name') ?? ''))),
      );
      if (flags.output === 'json' || flags.output === 'yaml') return printValue(cli.out, { ...status, domains: views }, flags.output);
      cli.out.lines(statusLines(cli.out, { status, domains: views.map(parseDomainInfo), apps }, Date.now()));

      /** Undefined for a domain that is still being joined. */
      async function membersOf(name: string): Promise<JsonRecord | undefined> {
        return client.find(domainTarget(name, 'members'));
      }
    });
}

/** The mesh's view of a domain or, if the mesh does not know it yet, what its object says. */
function viewOf(domain: JsonRecord, members: JsonRecord | undefined): JsonRecord {
  if (isRecord(members)) return members;
  return { name: textAt(domain, 'metadata', 'name'), state: domain['status'], message: domain['message'], peers: [], removed: [] };
}
