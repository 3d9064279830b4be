/** What the driver of a part needs. */
import type { Part } from '../../../../../protocol/orders/outcome.ts';
import type { Logger } from '../../../logging/logger.types.ts';
import type { Timing } from '../limits.ts';
import type { OutputSink } from '../output/collected.ts';
import type { NewConversation } from './conversation.ts';
import type { Evidence } from './verdict.ts';

/** How a target is reached. */
export interface Line {
  /** Errors: PEER_AWAY, TIMEOUT, VERSION_TOO_OLD: it has heard nothing. */
  open(signal: AbortSignal): Promise<NewConversation>;
  /** False if it is known to be away now. */
  maybeThere(): boolean;
  /** Calls back when that may have changed. */
  onChange(listener: () => void): () => void;
}

export interface Holder {
  deposit(): Promise<{ holders: string[] }>;
  cancel(): Promise<{ notReached: string[] }>;
  /** False if it is certain that this node itself has not handed it over. */
  mayHaveDelivered(): boolean;
}

export interface DriverOptions {
  id: string;
  /** As it stands: at the beginning, or as it was found. */
  part: Part;
  /** This node itself, as it is named among holders. */
  self: string;
  line: Line;
  sink: OutputSink;
  /** In whose name; absent for the operator, who is nobody elsewhere. */
  user: { name: string; uid: string } | undefined;
  /** What is brought. Absent: it can only be asked for, since what was told once is not known any more. */
  order?: () => { order: Uint8Array; bundle?: Uint8Array };
  /** Who is asked may only tell what it was told itself: its words pass as they are. */
  relayed?: boolean;
  /** Where it may be held while the target is away. */
  holder?: Holder;
  /** Milliseconds since the epoch. */
  notAfter: number;
  settleUntil: number;
  timeoutMs: number;
  timing: Timing;
  now(): number;
  logger: Logger;
  /** `state`: how it stands has changed; else there is more output. */
  onChange(what: 'state' | 'output'): void;
  note(event: 'telling' | 'lost' | 'waiting', text: string): void;
  /** Called with what ended well, before it is told to anybody; may say that it did not after all. */
  complete?(part: Part): Promise<Evidence | undefined>;
}
