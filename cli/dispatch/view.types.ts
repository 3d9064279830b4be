import type { ExecutionView } from './execution.ts';
import type { FollowEvent } from './follow-event.ts';

/** A way to show an execution while it goes on. */
export interface FollowView {
  /** Shows an event. `execution` has been updated by it. */
  show(event: FollowEvent, execution: ExecutionView): void;
  /** Everything has come. */
  end(execution: ExecutionView): void;
}

/** Where a view writes: results to `out`, all else to `err`. */
export interface Screen {
  out(text: string | Uint8Array): void;
  err(text: string | Uint8Array): void;
}
