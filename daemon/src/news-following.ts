/** Records as Events what is news among the changes of the store. Nothing waits for it; what happened while the daemon was down is not told. */
import { newsOf } from './news.ts';
import type { EventRecorder } from './store/event-recorder.ts';
import type { ObjectStore } from './store/object-store.types.ts';

/** Returns a function that ends it. */
export function followNews(
  store: Pick<ObjectStore, 'get' | 'subscribe'>,
  events: Pick<EventRecorder, 'record'>,
  failed: (error: unknown) => void,
): () => void {
  return store.subscribe((changes) => {
    for (const change of changes) {
      const news = newsOf(change);
      if (news === undefined) continue;
      const { about, ...event } = news;
      if ('metadata' in about) {
        events.record({ about, ...event });
        continue;
      }
      store
        .get(about)
        .then((object) => {
          if (object !== undefined) events.record({ about: object, ...event });
        })
        .catch(failed);
    }
  });
}
