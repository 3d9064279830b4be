/**
 * A list as lines (protocol/peers/remote.ts): the stored JSON of each row, unchanged. Sent in parts, so that its length costs no
 * memory.
 */
import type { RawListPage } from '../../store/local-store.types.ts';
import type { ListQuery } from '../../store/object-store.types.ts';
import type { Api, ApiContext } from '../request/request.ts';
import { visibleRows } from '../views/visible-rows.ts';
import { pagesAfter } from './pages-ahead.ts';

/** Objects of an unlimited list that are read at once; longer lists are streamed in parts of this size. */
export const LIST_PART = 1000;

const LINE_END = Buffer.from('\n');

function line(value: unknown): Uint8Array {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}

function linesOf(items: readonly Uint8Array[]): Uint8Array[] {
  return items.flatMap((item) => [item, LINE_END]);
}

/** Refusals come before the first line; a failure after that leaves out the last line. */
export async function rowLines(api: Api, c: ApiContext, query: ListQuery): Promise<Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>> {
  const principal = c.get('principal');
  const limit = query.limit ?? 0;
  const first = await visibleRows(api, principal, { ...query, limit: limit > 0 ? limit : LIST_PART });
  const head = line({ metadata: { resourceVersion: first.resourceVersion } });
  if (limit > 0 || first.continue === undefined) {
    return Buffer.concat([head, ...linesOf(first.items), line({ end: first.continue === undefined ? {} : { continue: first.continue } })]);
  }
  async function* parts(page: RawListPage): AsyncGenerator<Uint8Array> {
    yield Buffer.concat([head, ...linesOf(page.items)]);
    const read = (next: string) => visibleRows(api, principal, { ...query, limit: LIST_PART, continue: next });
    for await (const following of pagesAfter(page, read)) {
      if (following.items.length > 0) yield Buffer.concat(linesOf(following.items));
    }
    yield line({ end: {} });
  }
  return ReadableStream.from(parts(first));
}
