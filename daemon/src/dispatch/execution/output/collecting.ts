/** Takes the output of one part as its target sends it: in order, without gap or repetition, and no more than there can be. What cannot be kept here is left at the target. */
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
  /** Nothing is taken any more: the target does not have what is missing, or this node no room. */
  #over = false;
  #printed: number | undefined;

  constructor(options: CollectingOptions) {
    this.#options = options;
    this.#printed = options.sink.printedAtFirst;
  }

  /** Bytes that were collected. */
  get offset(): number {
    return this.#options.sink.offset;
  }

  /** Those of them that the command wrote; undefined if they are not counted. */
  get printed(): number | undefined {
    return this.#printed;
  }

  /** From where on the target is to send it. */
  get from(): number {
    return this.#over ? 0 : this.offset;
  }

  /** True if all is here that the target says there is, or no more can be had. */
  hasAll(upTo: number | undefined): boolean {
    return this.#over || (upTo !== undefined && this.offset >= upTo);
  }

  /** No more can be had. */
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
    if (taken.length === 0) throw new DtkdError('FRAME_INVALID', 'it sends output without any');
    try {
      await sink.append(records);
      if (this.#printed !== undefined) this.#printed += printedIn(taken);
    } catch (error) {
      // what cannot be kept here is kept there; how it goes on is worth more
      logger.warn({ err: error, id, index }, 'Output cannot be collected');
      this.#over = true;
    }
    onChange('output');
  }
}
