/** An execution as followers see it: running, over, or started by another node. */
import type { ApiObject } from '../../../../../protocol/objects/objects.ts';
import type { Part } from '../../../../../protocol/orders/outcome.ts';
import type { ExecutionPhase } from '../../../../../protocol/orders/words.ts';
import type { FollowLine } from '../../../../../protocol/requests/follow.ts';

export type Note = NonNullable<FollowLine['note']>;

export interface View {
  readonly id: string;
  /** Its present state. */
  object(): ApiObject;
  /** Indexes of all known parts. */
  indexes(): Iterable<number>;
  /** The part's present state. Each change replaces the object. */
  part(index: number): Part | undefined;
  phase(): ExecutionPhase;
  /** Nothing happens for now: the execution is over, is paused, or only waits for targets that are away. */
  resting(): boolean;
  /** Whole records of a part from an offset on; empty if there are no more at present. */
  read(index: number, offset: number, maxBytes: number): Promise<Uint8Array>;
  /** Notes since a position, and the position of the next one. */
  notes(since: number): { items: readonly Note[]; next: number };
  /**
   * Calls the listener after each change, with the index of the part that changed, if it is about one. Returns a function that
   * unsubscribes.
   */
  onChange(listener: (index?: number) => void): () => void;
  /** The number of the pause, if the execution is paused here. */
  pause?(): number | undefined;
  /** Number of parts of which nothing is known. */
  missing(): number;
}
