/** What the driver of a part needs. */
import type { Part } from '../../../../../protocol/orders/outcome.ts';
import type { Logger } from '../../../logging/logger.types.ts';
import type { Timing } from '../limits.ts';
import type { OutputSink } from '../output/collected.ts';
import type { NewConversation } from './conversation.ts';
import type { Evidence } from './verdict.ts';

/** How a target is reached. */
export interface Line {
  /** Errors: PEER_AWAY, TIMEOUT, VERSION_TOO_OLD. After any of them the target has heard nothing. */
  open(signal: AbortSignal): Promise<NewConversation>;
  /** False if it is known to be away now. */
  maybeThere(): boolean;
  /** True if it was removed from the domain or left it. */
  isGone(): boolean;
  /** Calls the listener when that may have changed. Returns a function that unsubscribes. */
  onChange(listener: () => void): () => void;
}

export interface Holder {
  deposit(): Promise<{ holders: string[] }>;
  cancel(): Promise<{ notReached: string[] }>;
  /** False if this node certainly has not handed the order over itself. */
  mayHaveDelivered(): boolean;
}

export interface DriverOptions {
  id: string;
  /** Its present state: that of a new part, or as it was found stored. */
  part: Part;
  /** This node's name, as it appears among the holders. */
  self: string;
  line: Line;
  sink: OutputSink;
  /** The user on whose behalf the target is asked; absent for the operator, who is unknown at other nodes. */
  user: { name: string; uid: string } | undefined;
  /** What is brought to the target. Absent if the order is no longer known: then the target can only be asked about it. */
  order?: () => { order: Uint8Array; bundle?: Uint8Array };
  /** The node that is asked may itself only pass on what it was told: its words are taken as they are. */
  relayed?: boolean;
  /** Who holds the order while the target is away. */
  holder?: Holder;
  /** Milliseconds since the epoch. */
  notAfter: number;
  settleUntil: number;
  timeoutMs: number;
  timing: Timing;
  now(): number;
  logger: Logger;
  /** `state`: the part's state has changed. `output`: there is more output. */
  onChange(what: 'state' | 'output'): void;
  note(event: 'telling' | 'lost' | 'waiting', text: string): void;
  /** Called with a part that succeeded, before anybody is told; the answer may say that it failed after all. */
  complete?(part: Part): Promise<Evidence | undefined>;
}
