import type { GlobalFlags } from '../cli.ts';
import type { ExecutionView, ShownParts } from './execution.ts';
import type { ShowFlags } from './show-flags.ts';
import type { Ending } from './summary.ts';
import type { TextForm } from './text-view.ts';

export interface AttendOptions {
  /** Body of the dispatch, or of a retry with its path; or the execution that is there. */
  start?: { path: string; body: unknown };
  id?: string;
  /** Parts of it that are not shown again. */
  shown?: ShownParts;
  show: ShowFlags;
  prefix: TextForm['prefix'];
  /** True if the starting node's own lines need no prefix. */
  localIsPlain: boolean;
  /** True if nobody knows beforehand how many targets it has: that is then told in the end, also where it was one and all is well. */
  tellsCount?: boolean;
  waitForQueued: boolean;
  /** Flags of the connection, for command lines that are shown. */
  global: GlobalFlags;
  /** Another command line that would run the command again on these nodes. */
  againOn?(nodes: readonly string[]): string;
}

/** What is known when it is over. */
export interface Attended {
  execution: ExecutionView;
  ending: Ending;
  missing: number;
}
