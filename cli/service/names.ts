/** Names for completion, which commands about services list with a hidden flag. */
import { bareType } from '../../protocol/definitions/scoped-names.ts';
import { assemblyKind } from '../../protocol/kinds/assembly.ts';
import { typeKind } from '../../protocol/kinds/type.ts';
import { type ApiClient, type Target, THIS_NODE } from '../client/api.ts';
import { type Named, readServiceFile, readState, serviceTarget } from '../client/services.ts';
import { isRecord, type JsonRecord, listAt, recordAt, textAt, valueAt } from '../json.ts';
import { readService } from './service-file.ts';

const PAGE_SIZE = 500;

/** `acme/web:web-tier`. */
export async function assemblyNames(client: ApiClient): Promise<string[]> {
  const names = new Set<string>();
  for (const item of await itemsOf(client, { kind: assemblyKind, namespace: THIS_NODE })) {
    names.add(`${textAt(item, 'spec', 'module') ?? ''}:${textAt(item, 'spec', 'assembly') ?? ''}`);
  }
  return [...names].sort();
}

/** The candidates for the second argument of a command about this service. Empty for an unknown word. */
export async function namesWithin(client: ApiClient, service: Named, what: string): Promise<string[]> {
  switch (what) {
    case 'components':
      return Object.keys((await readService(client, service)).components).sort();
    case 'paths':
      return Object.keys((await readServiceFile(client, service)).types ?? {}).map((path) => `${path}=`);
    case 'settings':
      return Object.keys((await readServiceFile(client, service)).types ?? {});
    case 'commits':
      return listAt(await client.call('GET', serviceTarget(service, 'log')), 'commits').map((commit) =>
        (textAt(commit, 'id') ?? '').slice(0, 8),
      );
    case 'actions':
      return actionsOf(client, service);
    case 'modules':
      return listAt(await client.call('GET', serviceTarget(service, 'modules')), 'copies').flatMap((copy) => textAt(copy, 'module') ?? []);
    default:
      return [];
  }
}

/** Workflows, and commands of its resources. */
async function actionsOf(client: ApiClient, service: Named): Promise<string[]> {
  const [{ workflows }, { resources }, types] = await Promise.all([
    readService(client, service),
    readState(client, service),
    itemsOf(client, { kind: typeKind, namespace: service.namespace }),
  ]);
  const byName = new Map(
    types
      .filter((type) => textAt(type, 'spec', 'instance') === service.name)
      .map((type) => [bareType(textAt(type, 'spec', 'name') ?? '').toLowerCase(), type]),
  );
  const names = new Set(Object.keys(workflows));
  for (const { name, component, type } of resources) {
    for (const command of commandsOf(byName, type)) for (const who of [component, name]) names.add(`${who}.${command}`);
  }
  return [...names].sort();
}

/** The longest chain of types. */
const MAX_CHAIN = 32;

/** Public commands of a type, and those that it inherits within the service. */
function commandsOf(types: ReadonlyMap<string, JsonRecord>, name: string): string[] {
  const found = new Set<string>();
  let type = types.get(bareType(name).toLowerCase());
  for (let depth = 0; type !== undefined && depth < MAX_CHAIN; depth += 1) {
    for (const [command, rule] of Object.entries(recordAt(type, 'spec', 'commands'))) {
      if (valueAt(rule, 'private') !== true) found.add(command);
    }
    type = types.get(bareType(textAt(type, 'spec', 'extends') ?? '').toLowerCase());
  }
  return [...found];
}

export async function itemsOf(client: ApiClient, target: Target, fieldSelector?: string): Promise<JsonRecord[]> {
  const items: JsonRecord[] = [];
  for await (const page of client.pages(target, { fieldSelector }, PAGE_SIZE)) items.push(...listAt(page, 'items').filter(isRecord));
  return items;
}
