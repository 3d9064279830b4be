/** Lists that may cover other nodes, as all commands read them: missing nodes are always reported. */
import type { Cli } from './cli.ts';
import type { ApiClient, Selection, Target } from './client/api.ts';
import { isRecord, type JsonRecord, listAt } from './json.ts';
import { Completeness } from './output/completeness.ts';

export interface Listing {
  selection: Selection;
  pageSize: number;
  accept?: string | undefined;
  /** Gathers the statements about each node. */
  completeness?: Completeness;
}

/**
 * Yields the pages of a list, then notes which nodes are missing. Throws if the list is of one node, and it is unknown what that node has.
 */
export async function* listPages(
  cli: Pick<Cli, 'out'>,
  client: ApiClient,
  target: Target,
  { selection, pageSize, accept, completeness = new Completeness() }: Listing,
): AsyncGenerator<JsonRecord> {
  let rows = 0;
  for await (const page of client.pages(target, selection, pageSize, accept)) {
    completeness.add(page);
    rows += listAt(page, accept === undefined ? 'items' : 'rows').length;
    yield page;
  }
  if (rows === 0 && target.namespace !== undefined) completeness.assertHeard(target.namespace, target.kind.plural);
  for (const line of completeness.lines()) cli.out.noteOnce(line);
}

/** All objects of one node. Throws if that node did not show all of them, since callers need them complete. */
export async function listAll(
  client: ApiClient,
  target: Target & { namespace: string },
  selection: Selection,
  pageSize: number,
): Promise<JsonRecord[]> {
  const completeness = new Completeness();
  const found: JsonRecord[] = [];
  for await (const page of client.pages(target, selection, pageSize)) {
    completeness.add(page);
    found.push(...listAt(page, 'items').filter(isRecord));
  }
  completeness.assertAll(target.namespace, target.kind.plural);
  return found;
}
