import type { GlobalFlags } from '../cli.ts';
import type { ExecutionView, ShownParts } from './execution.ts';
import type { ShowFlags } from './show-flags.ts';
import type { Ending } from './summary.ts';
import type { TextForm } from './text-view.ts';

export interface AttendOptions {
  /** Path and body of the request that starts it (a dispatch, or a retry); undefined to follow the execution with `id`. */
  start?: { path: string; body: unknown };
  id?: string;
  /** Parts that are not shown again. */
  shown?: ShownParts;
  show: ShowFlags;
  prefix: TextForm['prefix'];
  /** True if output of the starting node is shown without a prefix. */
  localIsPlain: boolean;
  /**
   * True if the number of targets is not known beforehand. It is then reported at the end, even if there was one target and it succeeded.
   */
  tellsCount?: boolean;
  waitForQueued: boolean;
  /** Connection flags, repeated in command lines that are shown. */
  global: GlobalFlags;
  /** A command line that would run the command again on these nodes, suggested beside a retry. */
  againOn?(nodes: readonly string[]): string;
}

/** What is known at the end of following. */
export interface Attended {
  execution: ExecutionView;
  ending: Ending;
  missing: number;
}
