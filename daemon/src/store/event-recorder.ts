/**
 * Writes Events, which tell people what happened to an object. Repeats are counted in one Event. At most MAX_EVENTS are kept, for KEEP_MS.
 * Events are projections of this node; they are gathered and written in the background, nothing waits for them, and a failed write is only
 * logged.
 */
import { createHash } from 'node:crypto';
import { EVENT_CREATOR_ANNOTATION } from '../../../protocol/kinds/event.ts';
import { type ApiObject, type ObjectMeta, type ObjectRef, toTimestamp } from '../../../protocol/objects/objects.ts';
import { CREATOR_ANNOTATION } from '../../../protocol/rights/principal.ts';
import type { ObjectStore } from './object-store.types.ts';

/** The same as in Kubernetes. */
const KEEP_MS = 60 * 60 * 1000;
const MAX_EVENTS = 1000;
/** The most Events waiting to be written. In a storm of changes some are dropped rather than delaying the changes. */
const MAX_WAITING = 100;
/** How long Events are gathered before they are written in one transaction. Milliseconds. */
const GATHER_MS = 200;
/** Events written between two removals of old ones. */
const PRUNE_EVERY = 50;
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

/** An Event waiting to be written together with others. */
interface Waiting {
  event: EventInput;
  ref: ObjectRef & { namespace: string };
  /** When it was recorded. */
  time: string;
}

export class EventRecorder {
  readonly #options: EventRecorderOptions;
  #sincePrune = 0;
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #count = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  /** Queues an Event and returns at once. The Event is dropped if too many wait. */
  record(event: EventInput): void {
    if (this.#count >= MAX_WAITING) return;
    this.#count += 1;
    this.#waiting.push(this.#named(event));
    this.#timer ??= setTimeout(() => this.#flush(), GATHER_MS).unref();
  }

  /** Writes the waiting Events. */
  async close(): Promise<void> {
    this.#flush();
    await this.#writing;
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const gathered = this.#waiting.splice(0);
    if (gathered.length === 0) return;
    this.#writing = this.#writing
      .then(() => this.#write(gathered))
      .catch(this.#options.onError)
      .finally(() => {
        this.#count -= gathered.length;
      });
  }

  #named(event: EventInput): Waiting {
    const { node, now } = this.#options;
    const message = event.message.slice(0, 1024);
    const { metadata } = event.about;
    const name = `${metadata.name.slice(0, 200)}.${createHash('sha256').update(`${metadata.uid}\n${event.reason}\n${message}`).digest('hex').slice(0, 16)}`;
    return { event: { ...event, message }, ref: { ...EVENTS, namespace: node, name }, time: toTimestamp(now()) };
  }

  async #write(gathered: readonly Waiting[]): Promise<void> {
    const { store } = this.#options;
    // Loads the rows into the cache first, so that other writers do not wait for these reads.
    await Promise.all(gathered.map(({ ref }) => store.get(ref)));
    await store.transact(async (tx) => {
      for (const one of gathered) await tx.put(eventObject(one, await tx.get(one.ref)), { origin: 'projection' });
    });
    this.#sincePrune += gathered.length;
    if (this.#sincePrune >= PRUNE_EVERY) {
      this.#sincePrune = 0;
      await this.#prune();
    }
  }

  async #prune(): Promise<void> {
    const { store, node, now } = this.#options;
    const { items } = await store.list({ ...EVENTS, namespace: node, limit: MAX_EVENTS * 4 });
    const newestFirst = items.sort((a, b) => String(b['lastTimestamp']).localeCompare(String(a['lastTimestamp'])));
    const oldest = toTimestamp(now() - KEEP_MS);
    // written while the clock was ahead: they would count as the newest for that long
    const future = toTimestamp(now() + KEEP_MS);
    const isOver = (time: string) => time < oldest || time > future;
    const stale = newestFirst.filter((event, index) => index >= MAX_EVENTS || isOver(String(event['lastTimestamp'])));
    if (stale.length === 0) return;
    await store.transact(async (tx) => {
      for (const event of stale) await tx.delete({ ...EVENTS, namespace: node, name: event.metadata.name });
    });
  }
}

function eventObject({ event, ref, time }: Waiting, known: ApiObject | undefined): ApiObject {
  const { metadata } = event.about;
  const { name, namespace } = ref;
  const creator = metadata.annotations?.[CREATOR_ANNOTATION];
  const count = typeof known?.['count'] === 'number' ? known['count'] : 0;
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: {
      ...withoutMarks(known?.metadata ?? { name, namespace, uid: '', resourceVersion: '', generation: 1, creationTimestamp: '' }),
      // access to the Event is decided by these, even after the object is gone
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
    message: event.message,
    type: event.type,
    count: count + 1,
    firstTimestamp: typeof known?.['firstTimestamp'] === 'string' ? known['firstTimestamp'] : time,
    lastTimestamp: time,
    source: { component: 'dtkd' },
  };
}

function withoutMarks({ labels: _labels, annotations: _annotations, ...metadata }: ObjectMeta): ObjectMeta {
  return metadata;
}
