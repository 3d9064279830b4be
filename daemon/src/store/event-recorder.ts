/**
 * Writes Events: what happened to an object, for people. Repeats are counted into one Event; at most MAX_EVENTS are kept, for
 * KEEP_MS. Events are made by this node for itself; nothing waits for them, and a failure to write one is only logged.
 */
import { createHash } from 'node:crypto';
import { EVENT_CREATOR_ANNOTATION } from '../../../protocol/kinds/event.ts';
import { type ApiObject, type ObjectMeta, type ObjectRef, toTimestamp } from '../../../protocol/objects.ts';
import { CREATOR_ANNOTATION } from '../../../protocol/principal.ts';
import type { ObjectStore } from './object-store.types.ts';

/** As Kubernetes keeps them. */
const KEEP_MS = 60 * 60 * 1000;
const MAX_EVENTS = 1000;
/** Events that wait to be written at most: in a storm of changes some are left out, rather than that the changes wait for them. */
const MAX_WAITING = 100;
const EVENTS = { group: '', plural: 'events' } as const;

export interface EventInput {
  about: Pick<ApiObject, 'apiVersion' | 'kind' | 'metadata'>;
  type: 'Normal' | 'Warning';
  /** One word in CamelCase. */
  reason: string;
  message: string;
}

export interface EventRecorderOptions {
  store: ObjectStore;
  /** This node's name: the namespace of its Events. */
  node: string;
  now: () => number;
  onError: (error: unknown) => void;
}

export class EventRecorder {
  readonly #options: EventRecorderOptions;
  #sincePrune = 0;
  #waiting = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  /** Returns at once; the Event is written behind, or left out where too many wait. */
  record(event: EventInput): void {
    if (this.#waiting >= MAX_WAITING) return;
    this.#waiting += 1;
    this.#write(event)
      .catch(this.#options.onError)
      .finally(() => {
        this.#waiting -= 1;
      });
  }

  async #write(event: EventInput): Promise<void> {
    const { store, node, now } = this.#options;
    const message = event.message.slice(0, 1024);
    const { metadata } = event.about;
    const creator = metadata.annotations?.[CREATOR_ANNOTATION];
    const name = `${metadata.name.slice(0, 200)}.${createHash('sha256').update(`${metadata.uid}\n${event.reason}\n${message}`).digest('hex').slice(0, 16)}`;
    const ref: ObjectRef = { ...EVENTS, namespace: node, name };
    const time = toTimestamp(now());
    await store.transact(async (tx) => {
      const known = await tx.get(ref);
      const count = typeof known?.['count'] === 'number' ? known['count'] : 0;
      await tx.put(
        {
          apiVersion: 'v1',
          kind: 'Event',
          metadata: {
            ...withoutMarks(
              known?.metadata ?? { name, namespace: node, uid: '', resourceVersion: '', generation: 1, creationTimestamp: '' },
            ),
            // by these it is decided who sees it, also when the object is no more
            ...(metadata.labels === undefined ? {} : { labels: metadata.labels }),
            ...(creator === undefined ? {} : { annotations: { [EVENT_CREATOR_ANNOTATION]: creator } }),
          },
          involvedObject: {
            apiVersion: event.about.apiVersion,
            kind: event.about.kind,
            name: metadata.name,
            ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
            uid: metadata.uid,
          },
          reason: event.reason,
          message,
          type: event.type,
          count: count + 1,
          firstTimestamp: typeof known?.['firstTimestamp'] === 'string' ? known['firstTimestamp'] : time,
          lastTimestamp: time,
          source: { component: 'dtkd' },
        },
        { origin: 'projection' },
      );
    });
    this.#sincePrune += 1;
    if (this.#sincePrune >= 50) {
      this.#sincePrune = 0;
      await this.#prune();
    }
  }

  async #prune(): Promise<void> {
    const { store, node, now } = this.#options;
    const { items } = await store.list({ ...EVENTS, namespace: node, limit: MAX_EVENTS * 4 });
    const newestFirst = items.sort((a, b) => String(b['lastTimestamp']).localeCompare(String(a['lastTimestamp'])));
    const oldest = toTimestamp(now() - KEEP_MS);
    const stale = newestFirst.filter((event, index) => index >= MAX_EVENTS || String(event['lastTimestamp']) < oldest);
    if (stale.length === 0) return;
    await store.transact(async (tx) => {
      for (const event of stale) await tx.delete({ ...EVENTS, namespace: node, name: event.metadata.name });
    });
  }
}

function withoutMarks({ labels: _labels, annotations: _annotations, ...metadata }: ObjectMeta): ObjectMeta {
  return metadata;
}
