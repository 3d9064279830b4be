import { randomUUID } from 'node:crypto';
import { DtkdError } from '../../../protocol/errors.ts';
import { kindByPlural } from '../../../protocol/kinds/index.ts';
import { withConditions } from '../../../protocol/objects/conditions.ts';
import { type ApiObject, type ObjectMeta, type ObjectRef, toTimestamp } from '../../../protocol/objects/objects.ts';
import { findIndexed } from './finding.ts';
import { bucketsOf, indexRulesOf } from './indexes/index-entries.ts';
import { objectKey, refOf, rowName } from './keys.ts';
import type { Change, IndexQuery, Origin, Transaction } from './object-store.types.ts';
import type { Overlay } from './overlay.ts';
import { encodeObjectRow, jsonOfRow, objectOfRow, originOfRow } from './rows.ts';

/** A change with the bytes for the log. */
export interface PendingChange {
  change: Change;
  key: string;
  json: Uint8Array;
  previousJson: Uint8Array | undefined;
}

/** Precedes the version in a stamped object. It cannot occur earlier inside a text, where its quotes would be escaped. */
const VERSION_FIELD = Buffer.from('"resourceVersion":"');

/**
 * True if two stamped objects differ only in their versions. Compares bytes, since encoding an object a second time would take longer than
 * everything else.
 */
function isSameBut(one: Buffer, version: string, other: Uint8Array, otherVersion: string): boolean {
  if (one.length - version.length !== other.length - otherVersion.length) return false;
  const from = one.indexOf(VERSION_FIELD) + VERSION_FIELD.length;
  return (
    one.subarray(0, from).equals(other.subarray(0, from)) &&
    one.subarray(from + version.length).equals(other.subarray(from + otherVersion.length)) &&
    Buffer.from(otherVersion).equals(other.subarray(from, from + otherVersion.length))
  );
}

/** Key prefixes reserved for the store. Other parts use their own. */
const STORE_PREFIX = /^[ocmx]\//;

/** One transaction's view and writes. The commit queue merges them into the group if it succeeds. */
export class StoreTransaction implements Transaction {
  readonly pending: PendingChange[] = [];
  readonly #overlay: Overlay;
  readonly #now: () => number;
  #version: number;
  #closed = false;

  constructor(overlay: Overlay, version: number, now: () => number) {
    this.#overlay = overlay;
    this.#version = version;
    this.#now = now;
  }

  /** The version after the writes so far. */
  get version(): number {
    return this.#version;
  }

  changes(): Change[] {
    return this.pending.map((entry) => entry.change);
  }

  /** Makes later calls, by code that was not awaited, fail without effect. */
  close(): void {
    this.#closed = true;
  }

  async get(ref: ObjectRef): Promise<ApiObject | undefined> {
    const row = await this.#read(objectKey(ref));
    return row === undefined ? undefined : objectOfRow(row);
  }

  async originOf(ref: ObjectRef): Promise<Origin | undefined> {
    const row = await this.#read(objectKey(ref));
    return row === undefined ? undefined : originOfRow(row);
  }

  async find(query: IndexQuery): Promise<ObjectRef[]> {
    this.#assertOpen();
    return findIndexed(this.#overlay, query);
  }

  async put(object: ApiObject, { origin = 'own' }: { origin?: Origin } = {}): Promise<ApiObject> {
    const ref = refOf(object);
    const key = objectKey(ref);
    const row = await this.#read(key);
    this.#assertOpen();
    const previousJson = row === undefined ? undefined : jsonOfRow(row);
    const previous = row === undefined ? undefined : objectOfRow(row);
    const version = this.#version + 1;
    const stored = origin === 'replica' ? object : this.#stamped(ref, object, previous, String(version));
    const json = Buffer.from(JSON.stringify(stored));
    if (previous !== undefined && row !== undefined && previousJson !== undefined && originOfRow(row) === origin) {
      // writing an identical object is no change
      if (origin === 'replica') {
        if (json.equals(previousJson)) return object;
      } else {
        const before = previous.metadata.resourceVersion;
        if (isSameBut(json, String(version), previousJson, before)) {
          return { ...stored, metadata: { ...stored.metadata, resourceVersion: before } };
        }
      }
    }
    this.#overlay.put(key, encodeObjectRow(origin, json));
    this.#reindex(ref, previous, stored);
    this.#version = version;
    const change: Change =
      previous === undefined
        ? { version, type: 'ADDED', ref, object: stored, origin }
        : { version, type: 'MODIFIED', ref, object: stored, previous, origin };
    this.pending.push({ change, key, json, previousJson });
    return stored;
  }

  async delete(ref: ObjectRef): Promise<boolean> {
    const key = objectKey(ref);
    const row = await this.#read(key);
    this.#assertOpen();
    if (row === undefined) return false;
    const object = objectOfRow(row);
    this.#overlay.del(key);
    this.#reindex(ref, object, undefined);
    this.#version += 1;
    this.pending.push({
      change: { version: this.#version, type: 'DELETED', ref, object, previous: object, origin: originOfRow(row) },
      key,
      json: jsonOfRow(row),
      previousJson: undefined,
    });
    return true;
  }

  async getRow(key: string): Promise<Uint8Array | undefined> {
    return this.#read(key);
  }

  putRow(key: string, value: Uint8Array): void {
    this.#assertForeign(key);
    this.#overlay.put(key, value);
  }

  delRow(key: string): void {
    this.#assertForeign(key);
    this.#overlay.del(key);
  }

  clearRows(gte: string, lt: string): void {
    this.#assertForeign(gte);
    this.#overlay.clear(gte, lt);
  }

  #reindex({ group, plural, namespace, name }: ObjectRef, before: ApiObject | undefined, after: ApiObject | undefined): void {
    const rules = indexRulesOf(group, plural);
    if (rules === undefined) return;
    const old = before === undefined ? undefined : bucketsOf(rules, before);
    const now = after === undefined ? undefined : bucketsOf(rules, after);
    const row = rowName(namespace, name);
    for (const bucket of old ?? []) if (now?.has(bucket) !== true) this.#overlay.index(bucket, row, false);
    for (const bucket of now ?? []) if (old?.has(bucket) !== true) this.#overlay.index(bucket, row, true);
  }

  #stamped({ group, plural }: ObjectRef, object: ApiObject, previous: ApiObject | undefined, resourceVersion: string): ApiObject {
    const given: Partial<ObjectMeta> & { name: string } = object.metadata;
    const { name, namespace, uid, creationTimestamp, generation, resourceVersion: _old, ...rest } = given;
    const metadata: ObjectMeta = {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      uid: uid || previous?.metadata.uid || randomUUID(),
      resourceVersion,
      generation: generation ?? previous?.metadata.generation ?? 1,
      creationTimestamp: creationTimestamp || previous?.metadata.creationTimestamp || toTimestamp(this.#now()),
      ...rest,
    };
    const { apiVersion, kind, metadata: _metadata, ...fields } = object;
    const conditions = kindByPlural(group, plural)?.conditions?.(object);
    if (conditions === undefined) return { apiVersion, kind, metadata, ...fields };
    const at = { generation: metadata.generation, time: toTimestamp(this.#now()) };
    return { apiVersion, kind, metadata, ...fields, status: withConditions(fields['status'], previous?.['status'], conditions, at) };
  }

  /** Synchronous if the row is known: avoiding a promise matters where hundreds of transactions wait for this one. */
  #read(key: string): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    this.#assertOpen();
    const known = this.#overlay.known(key);
    return known === undefined ? this.#overlay.get(key) : known.row;
  }

  #assertOpen(): void {
    if (this.#closed) throw new DtkdError('INTERNAL', 'a transaction was used after its end');
  }

  #assertForeign(key: string): void {
    this.#assertOpen();
    if (STORE_PREFIX.test(key)) throw new DtkdError('INTERNAL', `rows under "${key.slice(0, 2)}" belong to the store`);
  }
}
