/**
 * Records news among the changes of the store as Events. Nothing waits for that, and changes made while the daemon was down are not
 * reported.
 */
import type { Logger } from '../logging/logger.types.ts';
import { EventRecorder } from '../store/event-recorder.ts';
import type { ObjectStore } from '../store/object-store.types.ts';
import { newsOf } from './news.ts';

export interface NewsPorts {
  node: { name: string };
  store: ObjectStore;
  now(): number;
  logger: Pick<Logger, 'warn'>;
  /** Receives what must be ended when the daemon stops. */
  stops: { push(end: () => unknown): unknown };
}

/** Creates the recorder of this node's Events, which records news from now on. */
export function recordEvents({ node, store, now, logger, stops }: NewsPorts): EventRecorder {
  const onError = (error: unknown): void => logger.warn({ err: error }, 'An Event could not be written');
  const events = new EventRecorder({ store, node: node.name, now, onError });
  stops.push(() => events.close());
  stops.push(followNews(store, events, onError));
  return events;
}

/** Starts to record news. Returns a function that ends it. */
function followNews(
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
