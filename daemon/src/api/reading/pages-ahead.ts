import type { RawListPage, Soon } from '../../store/local-store.types.ts';

/** The pages that follow one, each read while the one before is on its way to the client; at most one is kept. */
export async function* pagesAfter(first: RawListPage, read: (next: string) => Soon<RawListPage>): AsyncGenerator<RawListPage> {
  const begin = (page: RawListPage): Promise<RawListPage> | undefined => {
    if (page.continue === undefined) return undefined;
    const reading = Promise.resolve(read(page.continue));
    // who stops listening never asks what became of it
    reading.catch(() => {});
    return reading;
  };
  for (let ahead = begin(first); ahead !== undefined; ) {
    const page = await ahead;
    ahead = begin(page);
    yield page;
  }
}
