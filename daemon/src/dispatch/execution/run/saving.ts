/**
 * Stores the object of an execution as it changes: soon after a change, at a limited rate and one write at a time. Stores a pause and the
 * end for sure, however long the disk is full. Does not know what the object says.
 */
import type { Logger } from '../../../logging/logger.types.ts';
import type { Timing } from '../limits.ts';

export interface SavingOptions {
  id: string;
  /** Stores it as it stands when called. */
  save(): Promise<void>;
  timing: Pick<Timing, 'saveAfterMs' | 'saveMs' | 'backoffMs'>;
  logger: Logger;
}

export class Saving {
  readonly #options: SavingOptions;
  #timer: NodeJS.Timeout | undefined;
  /** Time of the last write, by the clock of this process. */
  #savedAt = Number.NEGATIVE_INFINITY;
  #last: Promise<void> = Promise.resolve();

  constructor(options: SavingOptions) {
    this.#options = options;
  }

  /** Schedules a write after a change. */
  soon(): void {
    const { id, timing, logger } = this.#options;
    const waitMs = Math.max(timing.saveAfterMs, this.#savedAt + timing.saveMs - performance.now());
    this.#timer ??= setTimeout(() => {
      this.now().catch((error: unknown) => logger.warn({ err: error, id }, 'An execution could not be stored'));
    }, waitMs).unref();
  }

  now(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#savedAt = performance.now();
    this.#last = this.#last.catch(() => undefined).then(() => this.#options.save());
    return this.#last;
  }

  /**
   * Writes now, and retries until that succeeds. Resolves after the first attempt, so that followers hear of the change even if it fails.
   */
  async surely(): Promise<void> {
    const { id, timing, logger } = this.#options;
    try {
      await this.now();
    } catch (error) {
      logger.warn({ err: error, id }, 'An execution could not be stored; it is tried again');
      this.#timer = setTimeout(() => void this.surely(), timing.backoffMs.last).unref();
    }
  }

  /** Writes what has not been written yet. */
  async close(): Promise<void> {
    if (this.#timer !== undefined) await this.now().catch(() => undefined);
    await this.#last.catch(() => undefined);
  }
}
