import type { Command } from 'commander';
import { dtPeerKind } from '../../../protocol/kinds/dtpeer.ts';
import { nodeKind } from '../../../protocol/kinds/node.ts';
import type { Cli } from '../../cli.ts';
import { type ApiClient, type Target, THIS_NODE } from '../../client/api.ts';
import { isRecord, type JsonRecord, listAt, recordAt, textAt, textsAt, valueAt } from '../../json.ts';
import { alignColumns } from '../../output/columns.ts';
import { type Format, outputOption, printValue } from '../../output/format.ts';

const PAGE_SIZE = 500;

const EXAMPLES = `
Examples:
  dtkd node ls              what filters choose by, and who is in maintenance
  dtkd node ls -o yaml`;

export function configure(command: Command, cli: Cli): void {
  command
    .addOption(outputOption('json', 'yaml'))
    .addHelpText('after', EXAMPLES)
    .action(async (flags: { output?: Format }) => {
      const client = await cli.client();
      const [nodes, peers] = await Promise.all([
        itemsOf(client, { kind: nodeKind }),
        // only the operator may see who is connected; without it the rest is still useful
        itemsOf(client, { kind: dtPeerKind, namespace: THIS_NODE }).catch((): JsonRecord[] => []),
      ]);
      if (flags.output === 'json' || flags.output === 'yaml')
        return printValue(cli.out, { apiVersion: 'v1', kind: 'List', items: nodes }, flags.output);
      const reach = reachByName(peers);
      const rows = nodes.map((node) => rowOf(node, reach));
      cli.out.lines(alignColumns([['NODE', 'HOSTNAME', 'REACH', 'OS', 'VERSION', 'ARCH', 'TAGS', 'PROPERTIES', 'MAINTENANCE'], ...rows]));
    });
}

async function itemsOf(client: ApiClient, target: Target): Promise<JsonRecord[]> {
  const items: JsonRecord[] = [];
  for await (const page of client.pages(target, {}, PAGE_SIZE)) items.push(...listAt(page, 'items').filter(isRecord));
  return items;
}

/** Each node's best reach over its domains. A peer's name has the suffix of its node. */
function reachByName(peers: readonly JsonRecord[]): Map<string, string> {
  const order = ['connected', 'idle', 'away'];
  const found = new Map<string, string>();
  for (const peer of peers) {
    const name = (textAt(peer, 'name') ?? '').split('.')[0] ?? '';
    const reach = textAt(peer, 'path') === 'self' ? 'here' : (textAt(peer, 'reach') ?? '');
    const known = found.get(name);
    if (known === undefined || reach === 'here' || order.indexOf(reach) < order.indexOf(known)) found.set(name, reach);
  }
  return found;
}

function rowOf(node: JsonRecord, reach: ReadonlyMap<string, string>): string[] {
  const name = textAt(node, 'metadata', 'name') ?? '';
  const properties = Object.entries(recordAt(node, 'spec', 'properties')).map(([key, value]) => `${key}=${String(value)}`);
  const resting = valueAt(node, 'spec', 'maintenance') !== undefined;
  return [
    name,
    textAt(node, 'status', 'facts', 'hostname') ?? '',
    reach.get(name) ?? '',
    textAt(node, 'status', 'facts', 'osName') ?? '',
    textAt(node, 'status', 'facts', 'osVersion') ?? '',
    textAt(node, 'status', 'facts', 'osArch') ?? '',
    textsAt(node, 'spec', 'tags').join(','),
    properties.join(','),
    resting ? (textAt(node, 'spec', 'maintenance', 'reason') ?? 'yes') : '',
  ];
}
