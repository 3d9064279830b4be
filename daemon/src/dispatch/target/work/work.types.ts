/** Work that was ordered, made ready to be done. */
import type { Part } from '../../../../../protocol/orders/outcome.ts';
import type { CheckedBundle } from '../../../../../protocol/orders/signed-bundle.ts';
import type { CommandResult } from '../../commands/commands.types.ts';
import type { Member } from '../../dispatch.types.ts';
import type { PartOutput } from '../output.ts';
import type { NodePolicy } from '../target.types.ts';
import type { Processes } from './processes.ts';

/** How work ended. */
export interface WorkResult extends CommandResult {
  /** Of a file that was read. */
  file?: Part['file'];
}

/** Work with everything that it needs on this node: nothing is fetched or decided any more while it is done. */
export interface ReadyWork {
  /** Its outcome is that of its one process. */
  plain: boolean;
  /** Names of the secrets that it uses. */
  secrets: readonly string[];
  /** Code that was seen first: written down as it starts. */
  pins: NodePolicy['pins'];
  /** Makes what can be made before it is done, in the part's own directory; nothing that others see. Never rejects. */
  ahead?(): Promise<void>;
  /** Does it, until it has ended or the signal is given. Never rejects, but for errors of dtkd's own. `deadline`: milliseconds since the epoch. */
  run(limits: { signal: AbortSignal; deadline: number }): Promise<WorkResult>;
}

/** What a part gives its work. */
export interface WorkPlace {
  output: PartOutput;
  processes: Processes;
  policy: NodePolicy;
  /** Who ordered it; undefined: this node itself. */
  from: Member | undefined;
  /** Milliseconds since the epoch: until then the starter may want what was made for it. */
  notAfter: number;
  bundle: CheckedBundle | undefined;
  /** Aborts the fetching of what is missing. */
  signal: AbortSignal;
  /** False: give undefined rather than fetch. */
  mayFetch: boolean;
}
