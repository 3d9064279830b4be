/**
 * One author's state in one epoch: a Y.Doc with one map, `objects`, written by the epoch's one client. The only file that knows Yjs.
 * Checks a foreign update against an index of the map's latest items before Yjs gets it, so that integrating it costs no more than its
 * size suggests: each key once per update, each item directly after the key's latest one, deletions of living items only, nothing pending.
 * Does not know what the values mean.
 */
import * as Y from 'yjs';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { Epoch } from '../../../../protocol/log/log-entry.ts';
import { MAX_LIVE_BYTES, MAX_LIVE_OBJECTS, MAX_LIVE_VALUES } from './limits.ts';
import { type Json, ROOT, readUpdate } from './update-reader.ts';

/** Longest key: the longest group, plural and name, with two slashes. */
const MAX_KEY_LENGTH = 253 + 63 + 253 + 2;
/** Approximate memory of one item with its index entry, as the cache counts it. */
const ITEM_FOOTPRINT = 600;
/** Approximate memory of one decoded JSON value, without its text. */
const VALUE_FOOTPRINT = 64;

/** The latest item of a key. */
interface Slot {
  clock: number;
  /** Bytes of key and value; 0 if deleted. */
  size: number;
  /** JSON values; 0 if deleted. */
  values: number;
}

/** An update that has been judged and can be integrated: what it does to each key (undefined: deletes it). */
export interface Judged {
  update: Uint8Array;
  values: Map<string, Json | undefined>;
  slots: Map<string, Slot>;
  structs: number;
  liveBytes: number;
  liveValues: number;
  liveObjects: number;
}

/** The one client of an epoch: the low 32 bits of its random part. */
export function clientOf(epoch: Epoch): number {
  return Number.parseInt(epoch.random.slice(8), 16);
}

export class AuthorDoc {
  readonly epoch: Epoch;
  readonly #client: number;
  readonly #doc = new Y.Doc({ guid: ROOT });
  readonly #objects = this.#doc.getMap(ROOT);
  readonly #slots = new Map<string, Slot>();
  /** Key of each latest item, by clock. */
  readonly #keys = new Map<number, string>();
  #clock = 0;
  #liveBytes = 0;
  #liveValues = 0;
  #liveObjects = 0;

  constructor(epoch: Epoch) {
    this.epoch = epoch;
    this.#client = clientOf(epoch);
    // Yjs would warn and change its id if an update came from its own client.
    this.#doc.clientID = this.#client ^ 1;
  }

  /** Bytes of the keys and values that are present. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** JSON values that are present, including nested ones. */
  get liveValues(): number {
    return this.#liveValues;
  }

  /** Approximate memory of this document in bytes. */
  get footprint(): number {
    return this.#liveBytes + this.#liveValues * VALUE_FOOTPRINT + this.#slots.size * ITEM_FOOTPRINT;
  }

  get(key: string): unknown {
    return this.#objects.get(key);
  }

  /** Number of keys that are present. */
  get count(): number {
    return this.#objects.size;
  }

  /** Every present key with its value. */
  entries(): IterableIterator<[string, unknown]> {
    return this.#objects.entries();
  }

  /** Judges an update against this state, changing nothing. Throws ENTRY_INVALID or QUOTA_EXCEEDED. */
  judge(update: Uint8Array): Judged {
    const judged = this.#judgeForm(update);
    if (judged.liveObjects > MAX_LIVE_OBJECTS) throw tooMuch(`more than ${MAX_LIVE_OBJECTS} objects`);
    if (judged.liveBytes > MAX_LIVE_BYTES) throw tooMuch(`more than ${MAX_LIVE_BYTES} bytes of objects`);
    if (judged.liveValues > MAX_LIVE_VALUES) throw tooMuch(`more than ${MAX_LIVE_VALUES} values in its objects`);
    return judged;
  }

  /** Integrates an update that was judged before it was stored, perhaps by a version with other quotas. Throws ENTRY_INVALID. */
  replay(update: Uint8Array): void {
    this.integrate(this.#judgeForm(update));
  }

  #judgeForm(update: Uint8Array): Judged {
    const { items, deleted } = readUpdate(update, this.#client, this.#clock);
    const judged: Judged = {
      update,
      values: new Map(),
      slots: new Map(),
      structs: items.length,
      liveBytes: this.#liveBytes,
      liveValues: this.#liveValues,
      liveObjects: this.#liveObjects,
    };
    for (const item of items) {
      const key = this.#keyOf(item.target);
      this.#change(judged, key, item.value, { clock: item.clock, size: key.length + item.size, values: item.values });
    }
    for (const range of deleted) this.#judgeDeletion(judged, range.clock, range.length);
    return judged;
  }

  #keyOf(target: { key: string } | { after: number }): string {
    if ('after' in target) {
      const key = this.#keys.get(target.after);
      if (key === undefined) throw refuse("it continues what is not a key's latest item");
      return key;
    }
    if (target.key.length > MAX_KEY_LENGTH) throw refuse('a key is too long');
    if (this.#slots.has(target.key)) throw refuse('it creates a key that exists already');
    return target.key;
  }

  #change(judged: Judged, key: string, value: Json | undefined, slot: Slot): void {
    if (judged.slots.has(key)) throw refuse('it changes a key twice');
    const { size: before, values } = this.#slots.get(key) ?? { size: 0, values: 0 };
    judged.values.set(key, value);
    judged.slots.set(key, slot);
    judged.liveBytes += slot.size - before;
    judged.liveValues += slot.values - values;
    judged.liveObjects += Number(slot.size > 0) - Number(before > 0);
  }

  /** Every clock in the range must be that of a living item, so a range is never longer than the items present. */
  #judgeDeletion(judged: Judged, first: number, length: number): void {
    if (length === 0) throw refuse('a deletion is empty');
    for (let clock = first; clock < first + length; clock += 1) {
      const key = this.#keys.get(clock);
      const slot = key === undefined ? undefined : this.#slots.get(key);
      if (key === undefined || slot === undefined || slot.size === 0) throw refuse('it deletes what is not there');
      const changed = judged.slots.get(key);
      if (changed === undefined) this.#change(judged, key, undefined, { clock, size: 0, values: 0 });
      else if (changed.clock === clock) throw refuse('it changes a key twice');
    }
  }

  /** Integrates what `judge` returned for exactly this state. Returns the changed keys with the values that Yjs now has. */
  integrate(judged: Judged): Map<string, unknown> {
    Y.applyUpdate(this.#doc, judged.update);
    this.#follow(judged);
    if (this.#doc.store.pendingStructs !== null || this.#doc.store.pendingDs !== null) {
      throw new DtkdError('INTERNAL', 'a judged update could not be integrated whole');
    }
    return new Map([...judged.values.keys()].map((key) => [key, this.#objects.get(key)]));
  }

  #follow(judged: Judged): void {
    for (const [key, slot] of judged.slots) {
      const before = this.#slots.get(key);
      if (before !== undefined) this.#keys.delete(before.clock);
      this.#slots.set(key, slot);
      this.#keys.set(slot.clock, key);
    }
    this.#clock += judged.structs;
    this.#liveBytes = judged.liveBytes;
    this.#liveValues = judged.liveValues;
    this.#liveObjects = judged.liveObjects;
  }

  /** Writes as the epoch's own client: sets each key, or deletes it (undefined). Returns the update, which every replica will accept. */
  write(changes: ReadonlyMap<string, unknown>): Uint8Array {
    this.#doc.clientID = this.#client;
    let update: Uint8Array | undefined;
    const keep = (bytes: Uint8Array): void => {
      update = bytes;
    };
    this.#doc.on('update', keep);
    this.#doc.transact(() => {
      for (const [key, value] of changes) {
        if (value === undefined) this.#objects.delete(key);
        else this.#objects.set(key, value);
      }
    });
    this.#doc.off('update', keep);
    const bytes = update ?? EMPTY_UPDATE;
    this.#follow(this.judge(bytes));
    return bytes;
  }
}

/** No structs and no deletions: the opening state of an author who publishes nothing. */
const EMPTY_UPDATE = Uint8Array.of(0, 0);

function refuse(why: string): DtkdError {
  return new DtkdError('ENTRY_INVALID', `a log entry's update is refused: ${why}`);
}

function tooMuch(what: string): DtkdError {
  return new DtkdError('QUOTA_EXCEEDED', `its author would have published ${what}`);
}
