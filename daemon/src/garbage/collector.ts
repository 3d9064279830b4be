/**
 * The garbage collector: deletes objects of this node along with their owners, as `metadata.ownerReferences` say. Follows the change log,
 * keeps the dependencies in rows beside the objects, and checks all of them again after a restart. Guarantees that an object is deleted
 * only on behalf of the principal who set its owners, decided and carried out as if that principal deleted it now; that an owner counts as
 * gone only when no object with its uid is at its place; and that a refused deletion is retried at growing intervals and reported in an
 * Event. Never touches objects of other nodes or projections. Asks nobody outside the store.
 */
import { DtkdError, type ErrorCode } from '../../../protocol/errors.ts';
import { kindByPlural } from '../../../protocol/kinds/index.ts';
import { type OwnerReference, ownerPlace, ownersBeyond, ownersOf } from '../../../protocol/kinds/owners.ts';
import { ORPHAN_FINALIZER } from '../../../protocol/objects/finalizers.ts';
import type { ApiObject, ObjectRef } from '../../../protocol/objects/objects.ts';
import { DELETION_ANNOTATION, displayOf, OWNERS_ANNOTATION, type Principal, parsePrincipal } from '../../../protocol/rights/principal.ts';
import type { Change, Participant } from '../store/object-store.types.ts';
import type { Garbage, GarbageOptions } from './garbage.types.ts';
import { isLeavingLast, type OwnerState, released, stateOfOwner, unblocking, verdictOn } from './judging.ts';
import { FIRST_BACK_OFF_MS, LAST_BACK_OFF_MS, MAX_WAITING, PARALLEL, QUIET_REFUSALS, RESCAN_MS, SETTLE_MS } from './limits.ts';
import { allRows, awaitsDependents, dependentsOf, placeText, refIn, writeRows } from './rows.ts';
import { WorkQueue } from './work-queue.ts';

/** The two kinds of work: check an object; check the dependents of an owner that is gone. */
const OBJECT = 'o:';
const OWNER = 'u:';

export function createGarbage(options: GarbageOptions): Garbage {
  return new Collector(options);
}

class Collector implements Garbage {
  readonly participant: Participant = {
    prepare: async (changes, tx) => {
      for (const change of changes) writeRows(change, tx);
    },
    committed: () => undefined,
    aborted: () => undefined,
  };
  readonly #options: GarbageOptions;
  readonly #settleMs: number;
  readonly #queue: WorkQueue;
  #unsubscribe: (() => void) | undefined;
  /** True if a change found no room in the queue. */
  #overflowed = false;
  /** Set while a scan waits for room in the queue. */
  #room: PromiseWithResolvers<void> | undefined;
  #scan: Promise<void> | undefined;
  #starting: NodeJS.Timeout | undefined;
  #rescan: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: GarbageOptions) {
    this.#options = options;
    this.#settleMs = options.settleMs ?? SETTLE_MS;
    this.#queue = new WorkQueue({
      parallel: PARALLEL,
      limit: options.maxWaiting ?? MAX_WAITING,
      firstBackOffMs: options.firstBackOffMs ?? FIRST_BACK_OFF_MS,
      lastBackOffMs: LAST_BACK_OFF_MS,
      work: (key, failures) => this.#work(key, failures),
      onIdle: () => {
        this.#goOn();
        if (this.#overflowed) this.#scanAll();
      },
    });
  }

  start(): void {
    this.#unsubscribe = this.#options.store.subscribe((changes) => {
      for (const change of changes) this.#take(change);
    });
    this.#starting = setTimeout(() => this.#scanAll(), this.#settleMs);
    this.#starting.unref();
    this.#rescan = setInterval(() => this.#scanAll(), RESCAN_MS);
    this.#rescan.unref();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#starting);
    clearInterval(this.#rescan);
    this.#unsubscribe?.();
    await this.#queue.stop();
    this.#goOn();
    await this.#scan;
  }

  async hasDependents(uid: string, counts?: (ref: ObjectRef, object: ApiObject) => boolean): Promise<boolean> {
    const { store } = this.#options;
    for await (const refs of dependentsOf(store.kv, uid)) {
      if (counts === undefined && refs.length > 0) return true;
      for (const ref of refs) {
        const object = await store.get(ref);
        if (object !== undefined && counts?.(ref, object) === true) return true;
      }
    }
    return false;
  }

  counts(): { waiting: number } {
    return { waiting: this.#queue.size };
  }

  /** Called for every change of the store. Returns early for most. */
  #take({ type, ref, object, previous, origin }: Change): void {
    if (origin !== 'own') return;
    if (type === 'DELETED') {
      this.#add(OWNER + object.metadata.uid, 0);
      for (const reference of ownersOf(object)) this.#addOwner(reference);
      return;
    }
    const before = previous === undefined ? [] : ownersOf(previous);
    const owners = ownersOf(object);
    if (owners.length > 0 || before.length > 0) {
      const changed = owners.length !== before.length || owners.some((reference, index) => !isAlike(reference, before[index]));
      if (changed && owners.length > 0) this.#add(OBJECT + placeText(ref), this.#settleMs, true);
      if (changed) for (const reference of before) this.#addOwner(reference);
      if (changed) for (const reference of ownersBeyond(owners, before)) this.#addOwner(reference);
    }
    if (awaitsDependents(object)) this.#add(OBJECT + placeText(ref), 0, true);
  }

  #addOwner(reference: OwnerReference): void {
    const place = ownerPlace(reference, this.#options.node);
    if (place !== undefined) this.#add(OBJECT + placeText(place.ref), 0);
  }

  /** Queues work. If there is no room, everything is scanned again later. */
  #add(key: string, delayMs: number, anew = false): void {
    if (!this.#queue.add(key, delayMs, { anew })) this.#overflowed = true;
  }

  #scanAll(): void {
    if (this.#scan !== undefined || this.#stopped) return;
    this.#overflowed = false;
    this.#scan = this.#scanRows()
      .catch((err: unknown) => {
        this.#overflowed = true;
        this.#options.logger.warn({ err }, 'The owners of objects could not be checked');
      })
      .finally(() => {
        this.#scan = undefined;
      });
  }

  /**
   * Queues every dependent. When the queue is full it waits and resumes at the same place: starting over would never get beyond the first
   * ones that fit.
   */
  async #scanRows(): Promise<void> {
    for await (const refs of allRows(this.#options.store.kv)) {
      for (const ref of refs) {
        while (!this.#stopped && !this.#queue.add(OBJECT + placeText(ref), 0)) {
          this.#room = Promise.withResolvers();
          await this.#room.promise;
        }
        if (this.#stopped) return;
      }
    }
  }

  #goOn(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  async #work(key: string, failures: number): Promise<void> {
    if (key.startsWith(OWNER)) return this.#addDependents(key.slice(OWNER.length));
    const ref = refIn(key.slice(OBJECT.length));
    const object = await this.#own(ref);
    if (object === undefined) return;
    try {
      if (object.metadata.deletionTimestamp !== undefined) await this.#leaving(ref, object);
      else if (ownersOf(object).length > 0) await this.#judge(ref, object);
    } catch (error) {
      if (await this.#hasMoved(ref, object)) this.#tell(object, error, 0);
      else this.#tell(object, error, failures + 1);
      throw error;
    }
  }

  async #addDependents(uid: string): Promise<void> {
    for await (const refs of dependentsOf(this.#options.store.kv, uid)) for (const ref of refs) this.#add(OBJECT + placeText(ref), 0);
  }

  /** The object, if it is this node's own and of a kind that can be deleted. */
  async #own(ref: ObjectRef): Promise<ApiObject | undefined> {
    const { store, node } = this.#options;
    if (ref.namespace !== '' && ref.namespace !== node) return undefined;
    if (kindByPlural(ref.group, ref.plural)?.verbs.includes('delete') !== true) return undefined;
    return (await store.originOf(ref)) === 'own' ? store.get(ref) : undefined;
  }

  /** True if the object has changed meanwhile. The failure is then not reported. */
  async #hasMoved(ref: ObjectRef, object: ApiObject): Promise<boolean> {
    const now = await this.#options.store.get(ref);
    return now?.metadata.resourceVersion !== object.metadata.resourceVersion;
  }

  /**
   * The principal who agreed that the object is deleted with its owners. Undefined if there is none, as for an object not stored through
   * the API.
   */
  #sayer({ metadata: { annotations } }: ApiObject): Principal | undefined {
    return parsePrincipal(annotations?.[OWNERS_ANNOTATION], this.#options.node);
  }

  async #judge(ref: ObjectRef, object: ApiObject): Promise<void> {
    const owners: { reference: OwnerReference; state: OwnerState; owner: ApiObject | undefined }[] = [];
    for (const reference of ownersOf(object)) {
      const place = ownerPlace(reference, this.#options.node);
      const owner = place === undefined ? undefined : await this.#options.store.get(place.ref);
      owners.push({ reference, owner, state: place === undefined ? 'there' : stateOfOwner(reference, owner) });
    }
    const verdict = verdictOn(owners);
    const principal = this.#sayer(object);
    if (verdict.act === 'keep' || principal === undefined) return;
    if (verdict.act === 'release') {
      await this.#rewrite(
        ref,
        object,
        released(object, (reference) => verdict.from.includes(reference)),
      );
      return;
    }
    const { uid, resourceVersion } = object.metadata;
    if (!verdict.leaving || !(await this.hasDependents(uid))) {
      return this.#deleteAs(principal, ref, { uid, resourceVersion }, undefined);
    }
    // its own dependents are deleted first; in a cycle, one object has to stop waiting
    const waited = (await this.#isWaitedForByLeaving(object)) ? await this.#rewrite(ref, object, unblocking(object)) : object;
    if (waited !== undefined) {
      await this.#deleteAs(principal, ref, { uid, resourceVersion: waited.metadata.resourceVersion }, 'Foreground');
    }
  }

  /** Handles an object that is being deleted and waits for its dependents: completes the deletion once there is nothing to wait for. */
  async #leaving(ref: ObjectRef, object: ApiObject): Promise<void> {
    const { uid } = object.metadata;
    if (!awaitsDependents(object)) return;
    if (object.metadata.finalizers?.includes(ORPHAN_FINALIZER) === true) {
      for await (const refs of dependentsOf(this.#options.store.kv, uid)) for (const dependent of refs) await this.#release(dependent, uid);
    } else if (isLeavingLast(object) && (await this.#awaited(uid))) {
      return;
    }
    const principal = parsePrincipal(object.metadata.annotations?.[DELETION_ANNOTATION], this.#options.node);
    if (principal === undefined) return;
    // with this policy it waits for dependents no longer, and is deleted unless a finalizer holds it
    await this.#deleteAs(principal, ref, { uid }, 'Background');
  }

  /** True while a dependent blocks the deletion of the owner. Queues all dependents. */
  async #awaited(uid: string): Promise<boolean> {
    let awaited = false;
    for await (const refs of dependentsOf(this.#options.store.kv, uid)) {
      for (const ref of refs) {
        const dependent = await this.#own(ref);
        const reference = dependent === undefined ? undefined : ownersOf(dependent).find((one) => one.uid === uid);
        // an object that nobody agreed to delete with its owner is not deleted with it
        if (dependent === undefined || reference === undefined || this.#sayer(dependent) === undefined) continue;
        awaited ||= reference.blockOwnerDeletion === true;
        this.#add(OBJECT + placeText(ref), 0);
      }
    }
    return awaited;
  }

  /** True if an object that waits for its dependents is itself a dependent of this one: they would wait for each other. */
  async #isWaitedForByLeaving({ metadata: { uid } }: ApiObject): Promise<boolean> {
    for await (const refs of dependentsOf(this.#options.store.kv, uid)) {
      for (const ref of refs) {
        const dependent = await this.#own(ref);
        if (dependent !== undefined && isLeavingLast(dependent)) return true;
      }
    }
    return false;
  }

  async #release(ref: ObjectRef, uid: string): Promise<void> {
    const dependent = await this.#own(ref);
    if (dependent === undefined || !ownersOf(dependent).some((reference) => reference.uid === uid)) return;
    await this.#rewrite(
      ref,
      dependent,
      released(dependent, (reference) => reference.uid === uid),
    );
  }

  /**
   * Stores changed owner references if the object is still as it was read. Undefined if it is gone or was replaced. Throws CONFLICT, to be
   * retried, if it has changed.
   */
  async #rewrite(ref: ObjectRef, read: ApiObject, object: ApiObject): Promise<ApiObject | undefined> {
    return this.#options.store.transact(async (tx) => {
      const stored = await tx.get(ref);
      if (stored === undefined || stored.metadata.uid !== read.metadata.uid) return undefined;
      if (stored.metadata.resourceVersion !== read.metadata.resourceVersion) {
        throw new DtkdError('CONFLICT', `${ref.plural} "${ref.name}" has changed meanwhile`);
      }
      return tx.put(object);
    });
  }

  async #deleteAs(...asked: Parameters<GarbageOptions['deleteAs']>): Promise<void> {
    try {
      await this.#options.deleteAs(...asked);
    } catch (error) {
      if (!(error instanceof DtkdError && error.code === 'NOT_FOUND')) throw error;
      // it is gone, or the principal may no longer see it
      const [principal, ref, { uid }] = asked;
      if ((await this.#options.store.get(ref))?.metadata.uid !== uid) return;
      throw new DtkdError('FORBIDDEN', `${displayOf(principal)} may no longer see it`);
    }
  }

  #tell(about: ApiObject, error: unknown, refusals: number): void {
    if (!(error instanceof DtkdError))
      this.#options.logger.warn({ err: error, name: about.metadata.name }, 'An object could not be deleted with its owner');
    if (refusals <= QUIET_REFUSALS) return;
    const why = error instanceof DtkdError ? (WHY.get(error.code) ?? `it was refused (${error.code})`) : 'something went wrong inside dtkd';
    const isLeaving = about.metadata.deletionTimestamp !== undefined;
    this.#options.events.record({
      about,
      type: 'Warning',
      reason: isLeaving ? 'DeletionRefused' : 'GarbageRefused',
      message: isLeaving ? `Cannot be deleted yet: ${why}` : `Its owners are gone, but it cannot be deleted: ${why}`,
    });
  }
}

/**
 * The reason shown in an Event, chosen by the error code alone. The refusal itself is meant for the deleting principal, and may name
 * dependents or rights, whereas an Event is visible to all who may read the object.
 */
const WHY: ReadonlyMap<ErrorCode, string> = new Map([
  ['CONFLICT', 'something still needs it. Delete it by hand to see what.'],
  ['FORBIDDEN', 'the user for whom it would be deleted has no right to do that'],
]);

function isAlike(a: OwnerReference, b: OwnerReference | undefined): boolean {
  return b !== undefined && a.uid === b.uid && a.name === b.name && a.kind === b.kind && a.blockOwnerDeletion === b.blockOwnerDeletion;
}
