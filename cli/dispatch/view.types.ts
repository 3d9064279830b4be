import type { ExecutionView } from './execution.ts';
import type { FollowEvent } from './follow-event.ts';

/** One way to show an execution while it goes on. */
export interface FollowView {
  /** An event, after `execution` was brought up to date by it. */
  show(event: FollowEvent, execution: ExecutionView): void;
  /** All has come that will come. */
  end(execution: ExecutionView): void;
}

/** Where a view writes: results and all else. */
export interface Screen {
  out(text: string | Uint8Array): void;
  err(text: string | Uint8Array): void;
}
