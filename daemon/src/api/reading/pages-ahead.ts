import type { RawListPage, Soon } from '../../store/local-store.types.ts';

/** Yields the pages after `first`. Each is read while the previous one is on its way to the client; at most one is kept in advance. */
export async function* pagesAfter(first: RawListPage, read: (next: string) => Soon<RawListPage>): AsyncGenerator<RawListPage> {
  const begin = (page: RawListPage): Promise<RawListPage> | undefined => {
    if (page.continue === undefined) return undefined;
    const reading = Promise.resolve(read(page.continue));
    // a consumer that stops never asks for the outcome
    reading.catch(() => {});
    return reading;
  };
  for (let ahead = begin(first); ahead !== undefined; ) {
    const page = await ahead;
    ahead = begin(page);
    yield page;
  }
}
