/**
 * What is installed on this node: the last bundle of each resource, and how far it is installed. Owns the rows of installed-rows.ts and
 * the Deployment objects. Guarantees that a bundle is never replaced by an older one of its owner, even once it is forgotten. Does not
 * judge whether a bundle may be used, and runs nothing.
 */
import { instanceOfType, meansType } from '../../../../../protocol/definitions/scoped-names.ts';
import { DtkdError } from '../../../../../protocol/errors.ts';
import type { BundledResource } from '../../../../../protocol/orders/bundle.ts';
import type { CommandWork } from '../../../../../protocol/orders/order.ts';
import { bundledChain, type CheckedBundle, verifyBundle } from '../../../../../protocol/orders/signed-bundle.ts';
import type { Principal } from '../../../../../protocol/rights/principal.ts';
import type { Logger } from '../../../logging/logger.types.ts';
import type { ObjectStore, Transaction } from '../../../store/object-store.types.ts';
import type { Decide, ResourceMatch } from '../../dispatch.types.ts';
import { aboutResource, asked } from '../about.ts';
import type { About } from '../journal-row.ts';
import type { Installed } from '../target.types.ts';
import { type DeploymentFacts, deploymentObject, deploymentRef } from './deployment-object.ts';
import {
  bundleKey,
  bundleRows,
  decodeBundleRow,
  decodeInstallRow,
  encodeBundleRow,
  encodeFloorRow,
  encodeInstallRow,
  floorKey,
  floors,
  type InstallRow,
  installKey,
  installRows,
} from './installed-rows.ts';

export interface InstallationsOptions {
  store: ObjectStore;
  node: string;
  decide: Decide;
  /** The name here of the node with a signing key; undefined if it is not trusted (any more). */
  nodeOf(key: string): Promise<string | undefined>;
  logger: Logger;
}

/** A resource that was taken down and that nobody has needed since. */
export interface Down {
  owner: string;
  object: string;
  written: NonNullable<InstallRow['written']>;
  down: NonNullable<InstallRow['down']>;
}

interface Known {
  owner: string;
  revision: number;
  resource: Pick<BundledResource, 'object' | 'model' | 'type' | 'name'>;
  about: About;
}

export class Installations implements Installed {
  readonly #options: InstallationsOptions;
  readonly #known = new Map<string, Known>();
  /** Revisions of the newest forgotten bundles, by owner. */
  readonly #floors = new Map<string, number>();

  constructor(options: InstallationsOptions) {
    this.#options = options;
  }

  async load(): Promise<void> {
    const { store, logger } = this.#options;
    for await (const [key, value] of bundleRows(store.kv)) {
      try {
        this.#remember(verifyBundle(decodeBundleRow(value).bytes));
      } catch (error) {
        logger.warn({ err: error, key }, 'A resource bundle that was installed cannot be read');
      }
    }
    for await (const [owner, revision] of floors(store.kv)) this.#floors.set(owner, revision);
  }

  /**
   * The newer of a bundle that was brought and the stored one; undefined if there is neither. Errors: CONFLICT if there is none stored, and
   * the brought one is older than one that was forgotten.
   */
  async latest(owner: string, object: string, brought: CheckedBundle | undefined): Promise<CheckedBundle | undefined> {
    const known = this.#known.get(bundleKey(owner, object));
    if (known === undefined && brought !== undefined) this.#assertNotForgotten(brought);
    if (brought !== undefined && (known === undefined || known.revision <= brought.bundle.revision)) return brought;
    const row = known === undefined ? undefined : await this.#options.store.kv.get(bundleKey(owner, object));
    return row === undefined ? brought : verifyBundle(decodeBundleRow(row).bytes, owner);
  }

  /** Keeps a bundle, in the transaction of the order that brought it; to be followed by `kept` once that is durable. */
  async keep(tx: Transaction, { bundle, bytes }: CheckedBundle): Promise<void> {
    const [about] = bundle.resources;
    if (about === undefined) return;
    const key = bundleKey(bundle.owner, about.object);
    if ((this.#known.get(key)?.revision ?? Number.NEGATIVE_INFINITY) >= bundle.revision) return;
    const row = await tx.getRow(key);
    if (row !== undefined && decodeBundleRow(row).revision >= bundle.revision) return;
    tx.putRow(key, encodeBundleRow(bundle.revision, bytes));
  }

  kept(checked: CheckedBundle): void {
    const [about] = checked.bundle.resources;
    const known = about === undefined ? undefined : this.#known.get(bundleKey(checked.bundle.owner, about.object));
    if (known === undefined || known.revision < checked.bundle.revision) this.#remember(checked);
  }

  /** How far a resource is installed. */
  async state(owner: string, object: string): Promise<InstallRow | undefined> {
    const row = await this.#options.store.kv.get(installKey(owner, object));
    return row === undefined ? undefined : decodeInstallRow(row);
  }

  async record(facts: DeploymentFacts, row: Omit<InstallRow, 'version'>): Promise<void> {
    const { store, node } = this.#options;
    await store.transact(async (tx) => {
      tx.putRow(installKey(facts.owner.key, facts.resource.object), encodeInstallRow(row));
      const before = await tx.get(deploymentRef(node, facts.owner.key, facts.resource.object));
      await tx.put(deploymentObject(node, facts, before));
    });
  }

  /**
   * Records that the `delete` command of a resource's type succeeded: it is no longer deployed here until another command of it writes
   * its files anew. What it keeps in its directory stays, and what is needed to go on with it until it is forgotten.
   */
  async takenDown(tx: Transaction, { owner, resource }: Pick<CommandWork, 'owner' | 'resource'>, at: number): Promise<void> {
    const key = installKey(owner, resource.object);
    const row = await tx.getRow(key);
    const known = row === undefined ? undefined : decodeInstallRow(row);
    if (known?.uid !== resource.uid) return;
    const ref = deploymentRef(this.#options.node, owner, resource.object);
    if ((await tx.get(ref)) !== undefined) await tx.delete(ref);
    const { model, type, name } = resource;
    tx.putRow(key, encodeInstallRow({ ...known, files: '', down: { at, model, type, name } }));
  }

  /** The resources that were taken down before a time, in milliseconds since the epoch. */
  async *down(before: number): AsyncGenerator<Down> {
    const { store, logger } = this.#options;
    for await (const { owner, object, value } of installRows(store.kv)) {
      try {
        const { down, written = {} } = decodeInstallRow(value);
        if (down !== undefined && down.at < before) yield { owner, object, written, down };
      } catch (error) {
        logger.warn({ err: error, owner, object }, 'How far a resource is installed cannot be read');
      }
    }
  }

  /** Forgets a resource that was taken down, unless a command has needed it since or `isBusy`. Returns whether it is forgotten. */
  async forget({ owner, object, down }: Down, isBusy: () => boolean): Promise<boolean> {
    const [bundle, install] = [bundleKey(owner, object), installKey(owner, object)];
    const known = this.#known.get(bundle);
    const floor = Math.max(known?.revision ?? 0, this.#floors.get(owner) ?? 0);
    try {
      return await this.#options.store.transact(async (tx) => {
        const row = await tx.getRow(install);
        if (isBusy() || row === undefined || decodeInstallRow(row).down?.at !== down.at) return false;
        // now, so that an order whose transaction follows keeps its bundle again
        this.#known.delete(bundle);
        this.#floors.set(owner, floor);
        tx.delRow(bundle);
        tx.delRow(install);
        tx.putRow(floorKey(owner), encodeFloorRow(floor));
        return true;
      });
    } catch (error) {
      if (known !== undefined && !this.#known.has(bundle)) this.#known.set(bundle, known);
      throw error;
    }
  }

  /** True if a resource of that owner's service is still deployed here. */
  async isLeftOf(tx: Transaction, owner: string, service: string): Promise<boolean> {
    for (const known of this.#known.values()) {
      if (known.owner === owner && instanceOfType(known.resource.type) === service && !(await this.#isTakenDown(known, tx))) return true;
    }
    return false;
  }

  async find(principal: Principal, by: Parameters<Installed['find']>[1], limit: number): Promise<ResourceMatch[]> {
    const { decide, node, nodeOf } = this.#options;
    const found: ResourceMatch[] = [];
    for (const [, known] of [...this.#known].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const { resource, about } = known;
      if (!matches(resource, by) || !decide(principal, asked(about, node, 'READ')).allowed || (await this.#isTakenDown(known))) continue;
      const owner = await nodeOf(known.owner);
      if (owner === undefined || (by.node !== undefined && by.node !== owner)) continue;
      found.push({ node: owner, ...resource });
      if (found.length >= limit) break;
    }
    return found;
  }

  async bundle(principal: Principal, of: { node: string; object: string }): Promise<Uint8Array | undefined> {
    const { store, decide, node, nodeOf } = this.#options;
    for (const known of this.#known.values()) {
      const { owner, resource, about } = known;
      if (resource.object !== of.object || (await nodeOf(owner)) !== of.node) continue;
      if (!decide(principal, asked(about, node, 'READ')).allowed || (await this.#isTakenDown(known))) return undefined;
      const row = await store.kv.get(bundleKey(owner, resource.object));
      return row === undefined ? undefined : decodeBundleRow(row).bytes;
    }
    return undefined;
  }

  /** True if the resource belongs to a service and is no longer deployed here: then nobody finds it here. */
  async #isTakenDown({ owner, resource }: Known, from: Pick<Transaction, 'get'> = this.#options.store): Promise<boolean> {
    if (instanceOfType(resource.type) === undefined) return false;
    return (await from.get(deploymentRef(this.#options.node, owner, resource.object))) === undefined;
  }

  #assertNotForgotten({ bundle: { owner, ownerName, revision } }: CheckedBundle): void {
    if (revision >= (this.#floors.get(owner) ?? 0)) return;
    throw new DtkdError('CONFLICT', `the bundle from ${ownerName} is older than one that ${this.#options.node} has used`, {
      next: `Start it again when ${ownerName} can be reached.`,
    });
  }

  #remember({ bundle }: CheckedBundle): void {
    const [resource] = bundle.resources;
    if (resource === undefined) throw new DtkdError('CONTENT_ALTERED', 'the resource bundle has no resource');
    const { object, model, type, name } = resource;
    this.#known.set(bundleKey(bundle.owner, object), {
      owner: bundle.owner,
      revision: bundle.revision,
      resource: { object, model, type: bundledChain(bundle.types, type)[0]?.name ?? type, name },
      about: aboutResource(resource, bundle.types),
    });
  }
}

function matches(resource: Known['resource'], by: { model?: string; type?: string; name?: string }): boolean {
  return (
    (by.model === undefined || by.model === resource.model) &&
    (by.type === undefined || meansType(by.type, resource.type)) &&
    (by.name === undefined || by.name === resource.name)
  );
}
