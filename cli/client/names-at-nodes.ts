import type { Kind } from '../../protocol/kinds/kind.ts';
import { listAt, textAt } from '../json.ts';
import type { ApiClient } from './api.ts';

const PAGE_SIZE = 500;

/** The names of all nodes' objects of a kind, in the form that commands take: `NAME@NODE`. */
export async function namesAtNodes(client: ApiClient, kind: Kind): Promise<string[]> {
  const names: string[] = [];
  for await (const page of client.pages({ kind }, {}, PAGE_SIZE)) {
    for (const item of listAt(page, 'items')) {
      names.push(`${textAt(item, 'metadata', 'name') ?? ''}@${textAt(item, 'metadata', 'namespace') ?? ''}`);
    }
  }
  return names;
}
