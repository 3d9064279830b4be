/** Ordered work, and its prepared form. */
import type { Part } from '../../../../../protocol/orders/outcome.ts';
import type { CheckedBundle } from '../../../../../protocol/orders/signed-bundle.ts';
import type { CommandResult } from '../../commands/commands.types.ts';
import type { Member } from '../../dispatch.types.ts';
import type { PartOutput } from '../output.ts';
import type { NodePolicy } from '../target.types.ts';
import type { Processes } from './processes.ts';

/** How work ended. */
export interface WorkResult extends CommandResult {
  /** Given for a file that was read. */
  file?: Part['file'];
}

/** Work with everything that it needs on this node: nothing is fetched or decided while it runs. */
export interface ReadyWork {
  /** Its outcome is that of its one process. */
  plain: boolean;
  /** Names of the secrets that it uses. */
  secrets: readonly string[];
  /** Pins for code that is seen for the first time, written when the work starts. */
  pins: NodePolicy['pins'];
  /** Prepares what can be prepared before the start, in the part's own directory; nothing that others see. Never rejects. */
  ahead?(): Promise<void>;
  /** Does the work, until it has ended or the signal aborts. Rejects only on internal errors. `deadline`: milliseconds since the epoch. */
  run(limits: { signal: AbortSignal; deadline: number }): Promise<WorkResult>;
}

/** What a part provides to its work. */
export interface WorkPlace {
  output: PartOutput;
  processes: Processes;
  policy: NodePolicy;
  /** The member that ordered it; undefined: this node itself. */
  from: Member | undefined;
  /** Until when the starter may want the result, in milliseconds since the epoch. */
  notAfter: number;
  bundle: CheckedBundle | undefined;
  /** Aborts the fetching of what is missing. */
  signal: AbortSignal;
  /** If false, preparing returns undefined rather than fetch. */
  mayFetch: boolean;
}
