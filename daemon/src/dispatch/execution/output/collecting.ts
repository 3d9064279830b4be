/**
 * Takes the output of one part as its target sends it: in order, without gaps or repetition, and within limits. What cannot be kept here
 * stays at the target.
 */
import { DtkdError } from '../../../../../protocol/errors.ts';
import { MAX_OFFSET } from '../limits.ts';
import type { DriverOptions } from '../part/part-driver.types.ts';
import type { OutputSink } from './collected.ts';
import { printedIn, readRecords } from './records.ts';

export interface CollectingOptions extends Pick<DriverOptions, 'logger' | 'id' | 'onChange'> {
  index: number;
  sink: OutputSink;
}

export class Collecting {
  readonly #options: CollectingOptions;
  /** Nothing more is taken: the target lacks what is missing, or this node has no room. */
  #over = false;
  #printed: number | undefined;

  constructor(options: CollectingOptions) {
    this.#options = options;
    this.#printed = options.sink.printedAtFirst;
  }

  /** Bytes collected so far. */
  get offset(): number {
    return this.#options.sink.offset;
  }

  /** How many of them the command wrote; undefined if that is not counted. */
  get printed(): number | undefined {
    return this.#printed;
  }

  /** The offset from which the target is asked to send: 0 once nothing more is taken, since every target accepts that. */
  get from(): number {
    return this.#over ? 0 : this.offset;
  }

  /** True if all output that the target has is here, or no more can be had. */
  hasAll(upTo: number | undefined): boolean {
    return this.#over || (upTo !== undefined && this.offset >= upTo);
  }

  /** Takes no more output. */
  stop(): void {
    this.#over = true;
  }

  /** Errors: FRAME_INVALID, FRAME_TOO_LARGE. */
  async take(offset: number, records: Uint8Array): Promise<void> {
    if (this.#over) return;
    const { sink, logger, id, index, onChange } = this.#options;
    if (offset !== sink.offset) throw new DtkdError('FRAME_INVALID', `it sends output from ${offset} on, after ${sink.offset}`);
    if (sink.offset + records.length > MAX_OFFSET) throw new DtkdError('FRAME_TOO_LARGE', 'it sends more output than there can be');
    const taken = readRecords(records);
    if (taken.length === 0) throw new DtkdError('FRAME_INVALID', 'it sends output that is empty');
    try {
      await sink.append(records);
      if (this.#printed !== undefined) this.#printed += printedIn(taken);
    } catch (error) {
      // the target keeps it; following the part matters more
      logger.warn({ err: error, id, index }, 'Output cannot be collected');
      this.#over = true;
    }
    onChange('output');
  }
}
