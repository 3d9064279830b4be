/** The ports of the garbage collector. */
import type { PropagationPolicy } from '../../../protocol/objects/finalizers.ts';
import type { ApiObject, ObjectRef } from '../../../protocol/objects/objects.ts';
import type { Principal } from '../../../protocol/rights/principal.ts';
import type { Logger } from '../logging/logger.types.ts';
import type { ObjectStore, Participant } from '../store/object-store.types.ts';

/** Binds a deletion to the object with this uid and, if given, this version. */
export interface Precondition {
  uid: string;
  resourceVersion?: string;
}

/** Deletes as a request to the API does: the same decision, the same handlers. Errors: those of the API. */
export type DeleteAs = (
  principal: Principal,
  ref: ObjectRef,
  precondition: Precondition,
  policy: PropagationPolicy | undefined,
) => Promise<void>;

export interface GarbageOptions {
  store: Pick<ObjectStore, 'get' | 'originOf' | 'transact' | 'subscribe' | 'kv'>;
  /** This node's name. */
  node: string;
  deleteAs: DeleteAs;
  events: { record(event: { about: ApiObject; type: 'Normal' | 'Warning'; reason: string; message: string }): void };
  logger: Logger;
  /** How long an owner may be missing whose deletion was not observed. Milliseconds; default: SETTLE_MS. */
  settleMs?: number;
  /** Delay before a refused deletion is first retried. Milliseconds; default: FIRST_BACK_OFF_MS. */
  firstBackOffMs?: number;
  /** The most objects waiting to be checked. Default: MAX_WAITING. */
  maxWaiting?: number;
}

export interface Garbage {
  /** Maintains the dependency rows, in the batch of each change. To be added to the store before its first transaction. */
  readonly participant: Participant;
  /** Starts to follow changes, and checks everything that depends on something. */
  start(): void;
  stop(): Promise<void>;
  /** True if an object of this node names that uid among its owners. With `counts`, only if that accepts the object. */
  hasDependents(uid: string, counts?: (ref: ObjectRef, object: ApiObject) => boolean): Promise<boolean>;
  /** The number of objects waiting to be checked. */
  counts(): { waiting: number };
}
