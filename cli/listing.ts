/** Lists that may be about other nodes, as all commands take them: what is missing in them does not go unsaid. */
import type { Cli } from './cli.ts';
import type { ApiClient, Selection, Target } from './client/api.ts';
import { isRecord, type JsonRecord, listAt } from './json.ts';
import { Completeness } from './output/completeness.ts';

export interface Listing {
  selection: Selection;
  pageSize: number;
  accept?: string | undefined;
  /** Gathers what the list says of each node. */
  completeness?: Completeness;
}

/** The pages of a list; at its end it is said which nodes are missing. Throws if nothing is known of the one node that is meant. */
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

/** All objects of one node on which something is to be done, or none: throws if that node did not show all of them. */
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
