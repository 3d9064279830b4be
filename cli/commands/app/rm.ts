import type { Command } from 'commander';
import { DtkdError } from '../../../protocol/errors.ts';
import { dtAppKind } from '../../../protocol/kinds/dtapp.ts';
import { endpointsKind } from '../../../protocol/kinds/endpoints.ts';
import { serviceKind } from '../../../protocol/kinds/service.ts';
import type { Cli } from '../../cli.ts';
import type { ApiClient } from '../../client/api.ts';
import { findApp, listApps } from '../../client/apps.ts';
import { textAt } from '../../json.ts';
import { MADE_BY, MADE_BY_LABEL } from './expose.ts';

const EXAMPLES = `
Examples:
  dtkd app rm wiki

Only the node that owns an app can take it away. A Service and Endpoints that "app expose"
made go with it; others stay.`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<name>', 'NAME or OWNER/NAME of an app of this node')
    .option('--ignore-not-found', 'no error if there is none')
    .addHelpText('after', EXAMPLES)
    .action(async (text: string, flags: { ignoreNotFound?: boolean }) => {
      const client = await cli.client();
      const name = await nameHere(client, text);
      try {
        await client.delete({ kind: dtAppKind, name });
        cli.out.print(`${name} is no longer shared.`);
      } catch (error) {
        if (!(error instanceof DtkdError) || error.code !== 'NOT_FOUND') throw error;
        if (flags.ignoreNotFound !== true) cli.failed(await notHere(client, name));
      }
      for (const kind of [serviceKind, endpointsKind]) {
        const there = await client.find({ kind, name });
        if (textAt(there, 'metadata', 'labels', MADE_BY_LABEL) === MADE_BY) await client.delete({ kind, name });
      }
    });
}

/** The app's name if the text is OWNER/NAME of an app of this node, as other commands accept it; any other text unchanged. */
async function nameHere(client: ApiClient, text: string): Promise<string> {
  if (!text.includes('/')) return text;
  const own = (await listApps(client)).find(({ isCopy, owner, app }) => !isCopy && `${owner}/${app}` === text);
  return own?.app ?? text;
}

/** The error for an app that this node does not have. */
async function notHere(client: ApiClient, name: string): Promise<unknown> {
  try {
    const { app, owner } = await findApp(client, name);
    return new DtkdError('FORBIDDEN', `${app} is an app of ${owner}, and only ${owner} can take it away`, {
      next: `Run "dtkd app rm ${app}" on ${owner}.`,
    });
  } catch (error) {
    return error;
  }
}
