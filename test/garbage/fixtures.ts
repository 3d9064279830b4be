/** A live API with a collector that deletes through it. */
import { createGarbage } from '../../daemon/src/garbage/collector.ts';
import type { Garbage, GarbageOptions } from '../../daemon/src/garbage/garbage.types.ts';
import type { Kv } from '../../daemon/src/store/kv.ts';
import type { LocalStore } from '../../daemon/src/store/local-store.types.ts';
import { openObjectStore } from '../../daemon/src/store/object-store.ts';
import { deletions } from '../../daemon/src/wiring/garbage-ports.ts';
import type { ApiObject } from '../../protocol/objects/objects.ts';
import { NODE, SERVICES, serviceBody, startTestApi, type TestApi, type TestApiOptions } from '../api/fixtures.ts';
import { silentLogger } from '../silent-logger.ts';
import { memoryKv } from '../store/memory-kv.ts';
import { waitFor } from '../wait.ts';

export interface GarbageApi extends TestApi {
  garbage: Garbage;
  /** Events that were recorded, as `REASON name: message`. */
  events: string[];
  /** Resolves when nothing is left to do but what waits for a back-off. */
  settled(): Promise<void>;
  service(name: string): Promise<ApiObject | undefined>;
  /** Makes a Service with owners. */
  make(name: string, owners?: readonly OwnerText[], metadata?: object): Promise<ApiObject>;
  names(): Promise<string[]>;
}

export type OwnerText = { of: ApiObject; block?: boolean } | ApiObject;

/** A reference to an object. */
export function ownerOf(owner: OwnerText): object {
  const { apiVersion, kind, metadata } = 'of' in owner ? (owner.of as ApiObject) : owner;
  const block = 'of' in owner && owner['block'] === true;
  return { apiVersion, kind, name: metadata.name, uid: metadata.uid, ...(block ? { blockOwnerDeletion: true } : {}) };
}

export async function startGarbageApi(
  options: TestApiOptions & { garbage?: Partial<GarbageOptions>; started?: boolean; kv?: Kv } = {},
): Promise<GarbageApi> {
  const { garbage: garbageOptions, started = true, kv = memoryKv(), ...rest } = options;
  const store: LocalStore = rest.store ?? (await openObjectStore({ kv, node: NODE }));
  const events: string[] = [];
  const garbage = createGarbage({
    store,
    node: NODE,
    deleteAs: deletions(() => api.server),
    events: { record: ({ about, reason, message }) => void events.push(`${reason} ${about.metadata.name}: ${message}`) },
    logger: silentLogger,
    settleMs: 0,
    firstBackOffMs: 1,
    ...garbageOptions,
  });
  store.addParticipant(garbage.participant);
  const api = await startTestApi({ hasDependents: (uid, counts) => garbage.hasDependents(uid, counts), ...rest, store });
  if (started) garbage.start();
  const made: GarbageApi = {
    ...api,
    garbage,
    events,
    settled: async () => {
      await waitFor(() => garbage.counts().waiting === 0, { what: 'the collector to have nothing to do' });
    },
    service: async (name) => {
      const answer = await api.ask('GET', `${SERVICES}/${name}`);
      return answer.status === 404 ? undefined : answer.body;
    },
    make: async (name, owners = [], metadata = {}) => {
      const answer = await api.ask('POST', SERVICES, { body: serviceBody(name, { ownerReferences: owners.map(ownerOf), ...metadata }) });
      if (answer.status !== 201) throw new Error(answer.text);
      return answer.body;
    },
    names: async () => (await api.ask('GET', SERVICES)).body.items.map((item: ApiObject) => item.metadata.name),
    close: async () => {
      await garbage.stop();
      await api.close();
    },
  };
  return made;
}
