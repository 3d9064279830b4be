/** The ports of the garbage collector. */
import type { PropagationPolicy } from '../../../protocol/objects/finalizers.ts';
import type { ApiObject, ObjectRef } from '../../../protocol/objects/objects.ts';
import type { Principal } from '../../../protocol/rights/principal.ts';
import type { Logger } from '../logging/logger.types.ts';
import type { ObjectStore, Participant } from '../store/object-store.types.ts';

/** What a deletion is bound to: the object of that uid, and in that version where one is given. */
export interface Precondition {
  uid: string;
  resourceVersion?: string;
}

/** Deletes as the API does when somebody asks for it: the same decision, the same handlers. Errors: those of the API. */
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
  /** How long an owner may be missing that nobody was seen to delete. Milliseconds; default: SETTLE_MS. */
  settleMs?: number;
  /** How long the first refused deletion waits. Milliseconds; default: FIRST_BACK_OFF_MS. */
  firstBackOffMs?: number;
  /** Objects that wait to be looked at, at most. Default: MAX_WAITING. */
  maxWaiting?: number;
}

export interface Garbage {
  /** Keeps who depends on whom, in the batch of each change. To be added to the store before its first transaction. */
  readonly participant: Participant;
  /** Follows the changes, and looks at all that depends on something. */
  start(): void;
  stop(): Promise<void>;
  /** True if an object of this node names that one among its owners; one that counts, if that is asked. */
  hasDependents(uid: string, counts?: (ref: ObjectRef, object: ApiObject) => boolean): Promise<boolean>;
  /** Objects that wait to be looked at. */
  counts(): { waiting: number };
}
