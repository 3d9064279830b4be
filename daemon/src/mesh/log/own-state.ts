/** What this node has published in one domain, and the checks for each write. Pure: signs and stores nothing. */
import { DtkdError } from '../../../../protocol/errors.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import { MAX_LIVE_BYTES, MAX_LIVE_OBJECTS, MAX_LIVE_VALUES, MAX_UPDATE_BYTES } from './limits.ts';
import type { Published } from './published-object.ts';
import { sizeOfValue, valuesIn } from './update-reader.ts';

/** Upper bound of the bytes of an item in an update without its key and value, and of a deletion. */
const ITEM_OVERHEAD = 32;
/** Bytes of a published value's field names and birth. */
const VALUE_OVERHEAD = 60;

/** A published object, its JSON, and its bytes and JSON values in an update. The birth is empty until the object is first written. */
export interface Live {
  value: Published;
  json: string;
  size: number;
  values: number;
}

/** Objects to publish or change, and to retract (undefined). */
export type Difference = ReadonlyMap<string, Live | undefined>;

export function live(key: string, value: Published): Live {
  return { value, json: JSON.stringify(value.o), size: key.length + sizeOfValue(value.o) + VALUE_OVERHEAD, values: valuesIn(value) };
}

export class OwnState {
  readonly #objects: Map<string, Live>;
  #bytes: number;
  #values: number;

  constructor(objects: ReadonlyMap<string, Live> = new Map()) {
    this.#objects = new Map(objects);
    this.#bytes = [...objects.values()].reduce((sum, { size }) => sum + size, 0);
    this.#values = [...objects.values()].reduce((sum, { values }) => sum + values, 0);
  }

  copy(): OwnState {
    return new OwnState(this.#objects);
  }

  all(): Difference {
    return this.#objects;
  }

  keys(): IterableIterator<string> {
    return this.#objects.keys();
  }

  published(): Map<string, Published> {
    return new Map([...this.#objects].map(([key, { value }]) => [key, value]));
  }

  apply(changes: Difference): this {
    for (const [key, now] of changes) {
      const before = this.#objects.get(key);
      this.#bytes += (now?.size ?? 0) - (before?.size ?? 0);
      this.#values += (now?.values ?? 0) - (before?.values ?? 0);
      if (now === undefined) this.#objects.delete(key);
      else this.#objects.set(key, now);
    }
    return this;
  }

  /** What must change so that the wanted objects (undefined: not published) are published. */
  difference(wanted: ReadonlyMap<string, ApiObject | undefined>): Difference {
    const changes = new Map<string, Live | undefined>();
    for (const [key, object] of wanted) {
      const known = this.#objects.get(key);
      if (object === undefined) {
        if (known !== undefined) changes.set(key, undefined);
      } else if (known?.json !== JSON.stringify(object)) {
        // An object created again after a deletion is another object.
        const b = known?.value.o.metadata.uid === object.metadata.uid ? (known?.value.b ?? '') : '';
        changes.set(key, live(key, { b, o: object }));
      }
    }
    return changes;
  }

  /**
   * The changes to more than an object's resourceVersion. A write by this node's controllers alone must not count as newer than what its
   * users did.
   */
  contentOf(changes: Difference): Difference {
    return new Map(
      [...changes].filter(([key, now]) => {
        const known = this.#objects.get(key);
        return known === undefined || now === undefined || unstamped(known.value) !== unstamped(now.value);
      }),
    );
  }

  /** What must change so that this state becomes `state`, including births. */
  differenceTo(state: ReadonlyMap<string, Published>): Difference {
    const changes = new Map<string, Live | undefined>();
    for (const key of this.#objects.keys()) if (!state.has(key)) changes.set(key, undefined);
    for (const [key, value] of state) {
      const known = this.#objects.get(key);
      const now = live(key, value);
      if (known?.json !== now.json || known.value.b !== value.b) changes.set(key, now);
    }
    return changes;
  }

  /** Throws QUOTA_EXCEEDED if the changed state would exceed what every replica accepts. */
  assertFits(changes: Difference): void {
    let objects = this.#objects.size;
    let bytes = this.#bytes;
    let values = this.#values;
    for (const [key, now] of changes) {
      const before = this.#objects.get(key);
      objects += Number(now !== undefined) - Number(before !== undefined);
      bytes += (now?.size ?? 0) - (before?.size ?? 0);
      values += (now?.values ?? 0) - (before?.values ?? 0);
      if (costOf(key, now) > MAX_UPDATE_BYTES) throw tooMuch(`"${key}" does not fit into a log entry`);
    }
    if (objects > MAX_LIVE_OBJECTS) throw tooMuch(`this node would share more than ${MAX_LIVE_OBJECTS} objects`);
    if (bytes > MAX_LIVE_BYTES) throw tooMuch(`this node would share more than ${MAX_LIVE_BYTES} bytes of objects`);
    if (values > MAX_LIVE_VALUES) throw tooMuch(`this node would share more than ${MAX_LIVE_VALUES} values in its objects`);
  }
}

function unstamped({ o: { metadata, ...rest } }: Published): string {
  return JSON.stringify({ ...rest, metadata: { ...metadata, resourceVersion: '' } });
}

/** Splits the keys into as many parts as entries are needed, at least one. */
export function inParts(written: Difference): string[][] {
  const parts: string[][] = [];
  let part: string[] = [];
  let bytes = 0;
  for (const [key, now] of written) {
    const cost = costOf(key, now);
    if (bytes + cost > MAX_UPDATE_BYTES && part.length > 0) {
      parts.push(part);
      part = [];
      bytes = 0;
    }
    part.push(key);
    bytes += cost;
  }
  return [...parts, part];
}

function costOf(key: string, now: Live | undefined): number {
  return ITEM_OVERHEAD + key.length + (now?.size ?? 0);
}

function tooMuch(what: string): DtkdError {
  return new DtkdError('QUOTA_EXCEEDED', what, { next: 'Share fewer or smaller objects into the domain.' });
}
