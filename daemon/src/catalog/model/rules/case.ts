/** What the rules share while they judge one transaction: reads, the faults found, and the changing counts of children. */
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

  /** Yields to the event loop now and then. */
  async breathe(): Promise<void> {
    this.#steps += 1;
    if (this.#steps % BREATH === 0) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Yields to the event loop at once: judging a single type may be long, with a thousand properties. */
  breatheNow(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  type(name: string): Promise<ResolvedType | undefined> {
    return this.#book.resolve(this.tx, name);
  }

  /** A resource as this transaction leaves it. */
  async resource(name: string): Promise<StoredResource | undefined> {
    if (this.#resources.has(name)) return this.#resources.get(name);
    return this.know(name, await this.tx.get(refIn(this.node, 'resources', name)));
  }

  /** Remembers a resource as this transaction leaves it. */
  know(name: string, object: ApiObject | undefined): StoredResource | undefined {
    const spec = object === undefined ? undefined : resourceSpecOf(object);
    const resource = object === undefined || spec === undefined ? undefined : { object, spec };
    this.#resources.set(name, resource);
    return resource;
  }

  /** Notes that a resource did not exist before this transaction, so it had no children. */
  isNew(name: string): void {
    if (!this.#counts.has(name)) this.#counts.set(name, new Map());
  }

  /** A Model as this transaction leaves it. */
  async model(name: string): Promise<ApiObject | undefined> {
    if (!this.#models.has(name)) this.#models.set(name, await this.tx.get(refIn(this.node, 'models', name)));
    return this.#models.get(name);
  }

  /** Numbers of children of a resource, by the key of their type. */
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

  /** Numbers of children of a resource by type, for its rules. */
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

  /** The type of a parent; undefined if the parent or its type does not exist. */
  async endOf(parent: string): Promise<Count['end'] | undefined> {
    if (parent.startsWith(NODE_PARENT)) return NODE_END;
    const resource = await this.resource(parent);
    return resource === undefined ? undefined : await this.type(resource.spec.type);
  }

  /** Writes the changed counts in the transaction. */
  keepCounts(): void {
    for (const parent of this.#counted) {
      const counts = this.#counts.get(parent);
      if (counts === undefined || counts.size === 0) this.tx.delRow(countRow(parent));
      else this.tx.putRow(countRow(parent), encodeCounts(counts));
    }
  }
}
