import type { Command } from 'commander';
import { endpointsKind } from '../../../protocol/kinds/endpoints.ts';
import type { Cli } from '../../cli.ts';
import type { ApiClient } from '../../client/api.ts';
import { type AppInfo, addressesOf, findApp } from '../../client/apps.ts';
import { isSilent } from '../../client/listening.ts';
import { formatHostPort } from '../../input/host-port.ts';
import { alignColumns } from '../../output/columns.ts';
import { type Format, outputOption, printValue } from '../../output/format.ts';

const EXAMPLES = `
Examples:
  dtkd app show wiki
  dtkd app show node1/wiki      where several nodes share an app of that name`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<app>', 'NAME, OWNER/NAME, or the name of its copy here')
    .addOption(outputOption('json', 'yaml'))
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, flags: { output?: Format }) => {
      const client = await cli.client();
      const app = await findApp(client, name);
      if (flags.output === 'json' || flags.output === 'yaml') return printValue(cli.out, app.raw, flags.output);
      const leadsTo = app.isCopy ? `a service of ${app.owner}` : await endpointsOf(client, app);
      cli.out.lines(
        alignColumns([
          ['App:', app.app],
          ['Owner:', app.isCopy ? app.owner : `${app.owner} (this node)`],
          ['Status:', [app.status ?? '<unknown>', app.message].filter(Boolean).join(': ')],
          ['URI:', app.uri ?? '<none>'],
          ['Domains:', app.domains.join(', ') || '<none>'],
          ['Authentication:', app.authenticationType],
          ['Leads to:', leadsTo],
          ['Object:', `dtapp/${app.object}`],
        ]),
      );
      cli.out.print(`\nUse it: dtkd app curl ${name} /   or   dtkd app forward ${name}`);
    });
}

/** The endpoints of an app of this node, as text. */
async function endpointsOf(client: ApiClient, app: AppInfo): Promise<string> {
  if (app.service === undefined) return '<no service selected>';
  const endpoints = await client.find({ kind: endpointsKind, name: app.service });
  if (endpoints === undefined) {
    // the status tells whether they are missing, since the daemon sees everything
    const isMissing = app.status === 'NoService' || app.status === 'NoEndpoints';
    return `service ${app.service}, ${isMissing ? 'which has no Endpoints' : 'whose Endpoints you may not see'}`;
  }
  const addresses = addressesOf(endpoints);
  const silent = await isSilent(client.https.connection.url, addresses);
  return `service ${app.service} at ${addresses.map(formatHostPort).join(', ') || '<no address>'}${silent ? ', where nothing answers now' : ''}`;
}
