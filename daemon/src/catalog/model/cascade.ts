/**
 * Deletes an object with all that depends on it, in one transaction: with a Model its resources, with a Type the types that extend it and
 * their resources, with a Resource its children. A child that has another parent is only detached. All or nothing: if one dependent cannot
 * be deleted, nothing is.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import type { ApiObject, ObjectRef } from '../../../../protocol/objects/objects.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';
import type { ObjectStore, Transaction } from '../../store/object-store.types.ts';
import { BREATH, MAX_CASCADE } from './limits.ts';
import { type Plural, refIn, resourceSpecOf, typeNameOf } from './objects.ts';
import { inUse, objectText } from './refusal.ts';
import type { Rights } from './rights.ts';
import { childrenOf, resourcesOfModel, resourcesOfType, subtypesOf } from './rules/dependents.ts';

export interface Cascaded {
  /** The object in its last state. */
  object: ApiObject;
  deleted: number;
  detached: number;
}

export interface CascadeOptions {
  store: ObjectStore;
  node: string;
  rights: Rights;
}

/** Deletes `object` and what depends on it, as `principal`. */
export function deleteWithDependents(
  { store, node, rights }: CascadeOptions,
  plural: Plural,
  object: ApiObject,
  { principal, dryRun }: { principal: Principal; dryRun: boolean },
): Promise<Cascaded> {
  return store.transact(
    async (tx) => {
      const root = refIn(node, plural, object.metadata.name);
      const stored = await tx.get(root);
      if (stored?.metadata.uid !== object.metadata.uid) {
        throw new DtkdError('NOT_FOUND', `${plural} "${root.name}" is gone`, { next: 'List what exists.' });
      }
      const closure = new Closure(tx, node, root);
      await closure.gather();
      await closure.write(rights, principal);
      return { object: stored, deleted: closure.deleted - 1, detached: closure.detached };
    },
    { dryRun },
  );
}

/** Gathers what is deleted with an object, before anything is written. */
class Closure {
  readonly #tx: Transaction;
  readonly #node: string;
  readonly #root: ObjectRef;
  readonly #types = new Map<string, ObjectRef>();
  readonly #resources = new Map<string, ObjectRef>();
  /** Children that lose parents, by name; those that lose all of them are in `#resources`, too. */
  readonly #losing = new Map<string, ApiObject>();
  #steps = 0;

  constructor(tx: Transaction, node: string, root: ObjectRef) {
    this.#tx = tx;
    this.#node = node;
    this.#root = root;
  }

  get deleted(): number {
    return this.#types.size + this.#resources.size + (this.#root.plural === 'models' ? 1 : 0);
  }

  get detached(): number {
    return [...this.#losing.keys()].filter((name) => !this.#resources.has(name)).length;
  }

  async gather(): Promise<void> {
    if (this.#root.plural === 'types') await this.#gatherTypes();
    if (this.#root.plural === 'models') {
      for (const ref of await resourcesOfModel(this.#tx, this.#node, this.#root.name, MAX_CASCADE + 1)) this.#add(this.#resources, ref);
    }
    if (this.#root.plural === 'resources') this.#add(this.#resources, this.#root);
    // iterating a Map includes entries added meanwhile
    for (const name of this.#resources.keys()) {
      await this.#breathe();
      for (const ref of await childrenOf(this.#tx, this.#node, name, MAX_CASCADE + 1)) await this.#lose(ref);
    }
  }

  async write(rights: Rights, principal: Principal): Promise<void> {
    const tx = this.#tx;
    for (const [name, object] of this.#losing) {
      const spec = resourceSpecOf(object);
      if (spec === undefined || this.#resources.has(name)) continue;
      await this.#breathe();
      const parents = (spec.parents ?? []).filter((parent) => !this.#resources.has(parent));
      const after = { ...object, metadata: { ...object.metadata, generation: object.metadata.generation + 1 }, spec: { ...spec, parents } };
      await rights.assertMay(principal, { plural: 'resources', name, before: object, after }, tx);
      await tx.put(after);
    }
    // dependents first, so that watchers never see one without what it depends on
    for (const ref of [...this.#resources.values()].reverse()) await this.#delete(ref, 'resources', rights, principal);
    for (const ref of [...this.#types.values()].reverse()) await this.#delete(ref, 'types', rights, principal);
    if (this.#root.plural === 'models') await this.#delete(this.#root, 'models', rights, principal);
  }

  async #gatherTypes(): Promise<void> {
    this.#add(this.#types, this.#root);
    for (const ref of this.#types.values()) {
      const object = await this.#tx.get(ref);
      const name = object === undefined ? undefined : typeNameOf(object);
      if (name === undefined) continue;
      for (const sub of await subtypesOf(this.#tx, this.#node, name, MAX_CASCADE + 1)) this.#add(this.#types, sub);
      for (const resource of await resourcesOfType(this.#tx, this.#node, name, MAX_CASCADE + 1)) this.#add(this.#resources, resource);
    }
  }

  /** Notes that a child loses a parent; if that was its last one, it is deleted, too. */
  async #lose(ref: ObjectRef): Promise<void> {
    if (this.#resources.has(ref.name)) return;
    await this.#breathe();
    const object = this.#losing.get(ref.name) ?? (await this.#tx.get(ref));
    const spec = object === undefined ? undefined : resourceSpecOf(object);
    if (object === undefined || spec === undefined) return;
    this.#losing.set(ref.name, object);
    if ((spec.parents ?? []).every((parent) => this.#resources.has(parent))) this.#add(this.#resources, ref);
  }

  #add(to: Map<string, ObjectRef>, ref: ObjectRef): void {
    to.set(ref.name, ref);
    if (this.#resources.size + this.#types.size <= MAX_CASCADE) return;
    throw new DtkdError('CONFLICT', `more than ${MAX_CASCADE} objects would be deleted with ${objectText(this.#root)}`, {
      next: 'Delete it in parts.',
    });
  }

  async #delete(ref: ObjectRef, plural: Plural, rights: Rights, principal: Principal): Promise<void> {
    await this.#breathe();
    const before = await this.#tx.get(ref);
    if (before === undefined) return;
    if ((await this.#tx.originOf(ref)) !== 'own') {
      throw new DtkdError('FORBIDDEN', `${plural} "${ref.name}" is kept by the daemon itself and cannot be deleted`);
    }
    await rights.assertMay(principal, { plural, name: ref.name, before }, this.#tx);
    if (ref !== this.#root && (before.metadata.finalizers ?? []).length > 0) {
      const held = { names: [objectText(ref)], count: 1, more: false };
      throw inUse(
        this.#root,
        'cannot be deleted: finalizers hold what would be deleted with it',
        held,
        'Remove the finalizers, or delete that object first.',
      );
    }
    await this.#tx.delete(ref);
  }

  async #breathe(): Promise<void> {
    this.#steps += 1;
    if (this.#steps % BREATH === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}
