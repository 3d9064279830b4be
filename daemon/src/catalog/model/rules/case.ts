/** What the rules share while they judge one transaction: how to read, what was found, and the counts of children as they change. */
import type { ResourceSpec } from '../../../../../protocol/kinds/resource.ts';
import type { ApiObject } from '../../../../../protocol/objects/objects.ts';
import type { Transaction } from '../../../store/object-store.types.ts';
import { BREATH } from '../limits.ts';
import { NODE_PARENT, refIn, resourceSpecOf, typeKey } from '../objects.ts';
import { Refusal } from '../refusal.ts';
import { type Count, NODE_END } from '../relation-rules.ts';
import type { ResolvedType } from '../resolved-type.ts';
import { countRow, encodeCounts, readCounts } from '../rows.ts';
import type { TypeBook } from '../type-book.ts';

export interface StoredResource {
  object: ApiObject;
  spec: ResourceSpec;
}

export class Case {
  readonly node: string;
  readonly tx: Transaction;
  readonly refusal = new Refusal();
  readonly #book: TypeBook;
  readonly #resources = new Map<string, StoredResource | undefined>();
  readonly #models = new Map<string, ApiObject | undefined>();
  readonly #counts = new Map<string, Map<string, number>>();
  readonly #counted = new Set<string>();
  #steps = 0;

  constructor(node: string, tx: Transaction, book: TypeBook) {
    this.node = node;
    this.tx = tx;
    this.#book = book;
  }

  /** Lets others have the event loop now and then. */
  async breathe(): Promise<void> {
    this.#steps += 1;
    if (this.#steps % BREATH === 0) await new Promise((resolve) => setImmediate(resolve));
  }

  /** The same at once: a type may have a thousand properties. */
  breatheNow(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  type(name: string): Promise<ResolvedType | undefined> {
    return this.#book.resolve(this.tx, name);
  }

  /** A resource as it stands in this transaction. */
  async resource(name: string): Promise<StoredResource | undefined> {
    if (this.#resources.has(name)) return this.#resources.get(name);
    return this.know(name, await this.tx.get(refIn(this.node, 'resources', name)));
  }

  /** Remembers what a resource is in this transaction. */
  know(name: string, object: ApiObject | undefined): StoredResource | undefined {
    const spec = object === undefined ? undefined : resourceSpecOf(object);
    const resource = object === undefined || spec === undefined ? undefined : { object, spec };
    this.#resources.set(name, resource);
    return resource;
  }

  /** Says that a resource was not there before this transaction: nobody can have been its child. */
  isNew(name: string): void {
    if (!this.#counts.has(name)) this.#counts.set(name, new Map());
  }

  /** A Model as it stands in this transaction. */
  async model(name: string): Promise<ApiObject | undefined> {
    if (!this.#models.has(name)) this.#models.set(name, await this.tx.get(refIn(this.node, 'models', name)));
    return this.#models.get(name);
  }

  /** Children of a resource by the key of their type. */
  async children(name: string): Promise<Map<string, number>> {
    let counts = this.#counts.get(name);
    if (counts === undefined) {
      counts = await readCounts(this.tx, name);
      this.#counts.set(name, counts);
    }
    return counts;
  }

  async count(parent: string, type: string, difference: 1 | -1): Promise<void> {
    const counts = await this.children(parent);
    const count = (counts.get(typeKey(type)) ?? 0) + difference;
    if (count > 0) counts.set(typeKey(type), count);
    else counts.delete(typeKey(type));
    this.#counted.add(parent);
  }

  /** Children of a resource by type, for its rules. */
  async childCounts(name: string): Promise<Count[]> {
    const counts: Count[] = [];
    for (const [key, count] of await this.children(name)) {
      counts.push({ end: (await this.type(key)) ?? { name: key, keys: new Set([key]) }, count });
    }
    return counts;
  }

  /** The parents of a resource by type, for its rules. */
  async parentCounts(spec: ResourceSpec): Promise<Count[]> {
    const counts = new Map<string, Count>();
    for (const parent of new Set(spec.parents ?? [])) {
      const end = await this.endOf(parent);
      if (end === undefined) continue;
      counts.set(end.name, { end, count: (counts.get(end.name)?.count ?? 0) + 1 });
    }
    return [...counts.values()];
  }

  /** The type of a parent; undefined if there is no such resource. */
  async endOf(parent: string): Promise<Count['end'] | undefined> {
    if (parent.startsWith(NODE_PARENT)) return NODE_END;
    const resource = await this.resource(parent);
    return resource === undefined ? undefined : await this.type(resource.spec.type);
  }

  /** Keeps the counts with the transaction. */
  keepCounts(): void {
    for (const parent of this.#counted) {
      const counts = this.#counts.get(parent);
      if (counts === undefined || counts.size === 0) this.tx.delRow(countRow(parent));
      else this.tx.putRow(countRow(parent), encodeCounts(counts));
    }
  }
}
