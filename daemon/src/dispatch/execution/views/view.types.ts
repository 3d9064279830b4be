/** An execution as those see it who follow it: one that runs, one that is over, or one of another node. */
import type { ApiObject } from '../../../../../protocol/objects/objects.ts';
import type { Part } from '../../../../../protocol/orders/outcome.ts';
import type { ExecutionPhase } from '../../../../../protocol/orders/words.ts';
import type { FollowLine } from '../../../../../protocol/requests/follow.ts';

export type Note = NonNullable<FollowLine['note']>;

export interface View {
  readonly id: string;
  /** As it stands. */
  object(): ApiObject;
  /** Of all parts that are known. */
  indexes(): Iterable<number>;
  /** As it stands: another object after each change. */
  part(index: number): Part | undefined;
  phase(): ExecutionPhase;
  /** Nothing more happens for now: it is over, is paused, or only waits for targets that are away. */
  resting(): boolean;
  /** Whole records of a part from an offset on; empty: nothing more now. */
  read(index: number, offset: number, maxBytes: number): Promise<Uint8Array>;
  /** Notes since a place among them, and the place of the next. */
  notes(since: number): { items: readonly Note[]; next: number };
  /** Calls back after each change, with the index of the part that it is about. Returns a function that unsubscribes. */
  onChange(listener: (index?: number) => void): () => void;
  /** Parts of which nothing is known. */
  missing(): number;
}
