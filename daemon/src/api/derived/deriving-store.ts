/**
 * The store as the API reads it: derived kinds, whose objects follow from those of another kind, read as if they were stored.
 * Derives on every read and caches nothing; everything else passes through to the store. The limits of lists count sources, so a
 * page may have more or fewer rows.
 */
import { kindByPlural } from '../../../../protocol/kinds/index.ts';
import type { Derivation } from '../../../../protocol/kinds/kind.ts';
import type { ApiObject, ObjectRef } from '../../../../protocol/objects/objects.ts';
import type { LocalStore, RawListOptions, RawListPage, Soon, StoreFigures } from '../../store/local-store.types.ts';
import type {
  Change,
  IndexQuery,
  ListPage,
  ListQuery,
  Origin,
  Participant,
  Transaction,
  WatchEvent,
  WatchQuery,
} from '../../store/object-store.types.ts';
import { derivedEvents } from './derived-events.ts';
import { derivedSelection } from './derived-selection.ts';

export class DerivingStore implements LocalStore {
  readonly #store: LocalStore;

  constructor(store: LocalStore) {
    this.#store = store;
  }

  get kv(): LocalStore['kv'] {
    return this.#store.kv;
  }

  get(ref: ObjectRef): Promise<ApiObject | undefined> {
    const derivation = derivationOf(ref);
    return derivation === undefined ? this.#store.get(ref) : this.#derived(derivation, ref);
  }

  getRaw(ref: ObjectRef): Soon<Uint8Array<ArrayBuffer> | undefined> {
    const derivation = derivationOf(ref);
    return derivation === undefined ? this.#store.getRaw(ref) : this.#derivedRaw(derivation, ref);
  }

  originOf(ref: ObjectRef): Promise<Origin | undefined> {
    const derivation = derivationOf(ref);
    return this.#store.originOf(
      derivation === undefined ? ref : { ...ref, ...placeOf(derivation), name: derivation.sourceOf(ref.name) ?? '' },
    );
  }

  async #derivedRaw(derivation: Derivation, ref: ObjectRef): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const object = await this.#derived(derivation, ref);
    return object === undefined ? undefined : Buffer.from(JSON.stringify(object));
  }

  async #derived(derivation: Derivation, ref: ObjectRef): Promise<ApiObject | undefined> {
    const name = derivation.sourceOf(ref.name);
    const source = name === undefined ? undefined : await this.#store.get({ ...ref, ...placeOf(derivation), name });
    return source === undefined ? undefined : derivation.objects(source).find(({ metadata }) => metadata.name === ref.name);
  }

  list(query: ListQuery): Promise<ListPage> {
    const derivation = derivationOf(query);
    return derivation === undefined ? this.#store.list(query) : this.#listDerived(derivation, query, {});
  }

  listRaw(query: ListQuery, options?: RawListOptions): Soon<RawListPage> {
    const derivation = derivationOf(query);
    return derivation === undefined ? this.#store.listRaw(query, options) : this.#listRawDerived(derivation, query, options);
  }

  async #listRawDerived(derivation: Derivation, query: ListQuery, { filter, ...options }: RawListOptions = {}): Promise<RawListPage> {
    const { items, ...page } = await this.#listDerived(derivation, query, options);
    const shown = items.flatMap((object) => (filter === undefined ? object : (filter(object) ?? [])));
    return { ...page, items: shown.map((object) => Buffer.from(JSON.stringify(object))) };
  }

  async #listDerived(derivation: Derivation, query: ListQuery, options: Omit<RawListOptions, 'filter'>): Promise<ListPage> {
    const { sources, matches } = derivedSelection(query, derivation);
    const { items, ...page } = await this.#store.listRaw({ ...query, ...sources }, options);
    return { ...page, items: items.flatMap((row) => derivation.objects(objectIn(row))).filter(matches) };
  }

  watch(query: WatchQuery): AsyncIterable<WatchEvent> {
    const derivation = derivationOf(query);
    if (derivation === undefined) return this.#store.watch(query);
    const { sources, matches } = derivedSelection(query, derivation);
    return derivedEvents(this.#store.watch({ ...query, ...sources }), derivation, matches);
  }

  find(index: IndexQuery): Promise<ObjectRef[]> {
    return this.#store.find(index);
  }

  transact<T>(run: (tx: Transaction) => Promise<T>, options?: { dryRun?: boolean }): Promise<T> {
    return this.#store.transact(run, options);
  }

  subscribe(listener: (changes: readonly Change[]) => void): () => void {
    return this.#store.subscribe(listener);
  }

  addParticipant(participant: Participant): void {
    this.#store.addParticipant(participant);
  }

  version(): number {
    return this.#store.version();
  }

  figures(): Promise<StoreFigures> {
    return this.#store.figures();
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}

function objectIn(row: Uint8Array): ApiObject {
  // written by the store in this form
  const object: ApiObject = JSON.parse(Buffer.from(row.buffer, row.byteOffset, row.byteLength).toString('utf8'));
  return object;
}

function derivationOf({ group, plural }: Pick<ListQuery, 'group' | 'plural'>): Derivation | undefined {
  return kindByPlural(group, plural)?.derived;
}

function placeOf({ from }: Derivation): Pick<ObjectRef, 'group' | 'plural'> {
  return { group: from.group, plural: from.plural };
}
