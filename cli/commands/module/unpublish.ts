import type { Command } from 'commander';
import { DtkdError } from '../../../protocol/errors.ts';
import { releaseKind } from '../../../protocol/kinds/release.ts';
import type { Cli } from '../../cli.ts';
import { type ApiClient, THIS_NODE } from '../../client/api.ts';
import { isRecord, type JsonRecord, listAt, textAt } from '../../json.ts';
import { moduleTitle, splitVersion } from '../../module/object.ts';

const EXAMPLES = `
Examples:
  dtkd module unpublish acme/web@1.2.0
  dtkd module unpublish acme/web        all its versions

Whoever has fetched it keeps it, and still gives it to others who know of it.`;

export function configure(command: Command, cli: Cli): void {
  command
    .argument('<release>', 'NAME, NAME@VERSION, or the name of the object')
    .addHelpText('after', EXAMPLES)
    .action(async (name: string) => {
      const client = await cli.client();
      for (const release of await findReleases(client, name)) {
        await client.delete({ kind: releaseKind, namespace: THIS_NODE, name: textAt(release, 'metadata', 'name') ?? '' });
        cli.out.print(`${moduleTitle(release)} is no longer published; whoever has fetched it keeps it.`);
      }
    });
}

async function findReleases(client: ApiClient, name: string): Promise<JsonRecord[]> {
  if (!name.includes('/')) return [await client.get({ kind: releaseKind, namespace: THIS_NODE, name })];
  const { module, version } = splitVersion(name);
  const page = await client.get({ kind: releaseKind, namespace: THIS_NODE }, { fieldSelector: `spec.module=${module}` });
  const found = listAt(page, 'items')
    .filter(isRecord)
    .filter((item) => version === undefined || textAt(item, 'spec', 'version') === version);
  if (found.length > 0) return found;
  throw new DtkdError('NOT_FOUND', `this node has not published ${name.slice(0, 200)}`, { next: 'See "dtkd module ls --released".' });
}
