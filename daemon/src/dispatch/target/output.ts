/**
 * The output of one part: stores what its processes and dtkd write in its spool, from which any number of followers read by offset.
 * Guarantees that what was appended can be read soon, in order, without gaps, and that a spool takes no memory while nobody writes or
 * reads. Does not know what the output means.
 */
import { stat } from 'node:fs/promises';
import { DtkdError } from '../../../../protocol/errors.ts';
import { type LogLevel, OUTPUT_CHUNK_BYTES, type OutputRecord } from '../../../../protocol/orders/records.ts';
import type { Spool, Spools } from '../runner/runner.types.ts';
import { SPOOL_IDLE_MS } from './limits.ts';

export interface OutputOptions {
  spools: Spools;
  path: string;
  capBytes: number;
  now(): number;
  /** Called when output could not be written; that output is then lost. */
  onError(error: unknown): void;
}

/** The origin of a record. */
export interface Source {
  step: number;
  command: string;
}

export class PartOutput {
  readonly #options: OutputOptions;
  readonly #listeners = new Set<() => void>();
  #opening: Promise<Spool> | undefined;
  #spool: Spool | undefined;
  #forget: (() => void) | undefined;
  #idle: NodeJS.Timeout | undefined;
  #reading = 0;
  #writing: boolean;
  #capTold = false;
  /** Its length and loss when it was last open. */
  #last: { offset: number; dropped: number };

  /** `writing`: more output is to come. Otherwise `last` says where it ended. */
  constructor(options: OutputOptions, writing: boolean, last: { offset: number; dropped: number } = { offset: 0, dropped: 0 }) {
    this.#options = options;
    this.#writing = writing;
    this.#last = last;
  }

  get offset(): number {
    return this.#writing ? (this.#spool?.offset ?? this.#last.offset) : this.#last.offset;
  }

  get dropped(): number {
    return this.#writing ? (this.#spool?.dropped ?? this.#last.dropped) : this.#last.dropped;
  }

  /** Opens the spool for writing. Errors: DISK_FULL and the like. */
  async open(): Promise<void> {
    await this.#open();
  }

  /** Appends what a process wrote. Resolves when it may write more. Never rejects: a full disk does not end a command. */
  async write(stream: 'out' | 'err', chunk: Buffer, { step, command }: Source): Promise<void> {
    for (let from = 0; from < chunk.length; from += OUTPUT_CHUNK_BYTES) {
      await this.#append({
        t: this.#options.now(),
        s: stream,
        n: step,
        c: command,
        d: Uint8Array.from(chunk.subarray(from, from + OUTPUT_CHUNK_BYTES)),
      });
    }
    if (!this.#capTold && this.dropped > 0) {
      this.#capTold = true;
      await this.log('warning', { step, command }, `the output is longer than ${this.#options.capBytes} bytes: what follows is not kept`);
    }
  }

  /** Appends a line of dtkd's own. */
  async log(level: LogLevel, { step, command }: Source, text: string): Promise<void> {
    const bytes = Uint8Array.from(Buffer.from(text, 'utf8').subarray(0, OUTPUT_CHUNK_BYTES));
    await this.#append({ t: this.#options.now(), s: 'log', n: step, c: command, l: level, d: bytes });
  }

  /** Whole records from an offset on. Output that was removed reads as empty. */
  async read(offset: number, maxBytes: number): Promise<Uint8Array> {
    if (offset >= this.offset && !this.#writing) return new Uint8Array();
    this.#reading += 1;
    clearTimeout(this.#idle);
    try {
      if (!this.#writing && this.#opening === undefined && !(await exists(this.#options.path))) return new Uint8Array();
      return await (await this.#open()).read(offset, maxBytes);
    } catch (error) {
      if (!this.#writing && error instanceof DtkdError && error.code === 'NOT_FOUND') return new Uint8Array();
      throw error;
    } finally {
      this.#reading -= 1;
      this.#letGo();
    }
  }

  onGrowth(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends the output; resolves once all of it is on disk. */
  async finish(): Promise<{ offset: number; dropped: number }> {
    await this.close();
    this.#writing = false;
    this.#letGo();
    return this.#last;
  }

  /** Writes out what there is. Later output is lost. */
  async close(): Promise<void> {
    const spool = await this.#opening?.catch(() => undefined);
    if (spool === undefined || !this.#writing) return;
    await spool.close().catch((error: unknown) => this.#options.onError(error));
    this.#last = { offset: spool.offset, dropped: spool.dropped };
  }

  async #append(record: OutputRecord): Promise<void> {
    try {
      const spool = this.#spool ?? (await this.#open());
      await spool.append(record);
    } catch (error) {
      this.#options.onError(error);
    }
  }

  #open(): Promise<Spool> {
    if (this.#opening !== undefined) return this.#opening;
    const { spools, path, capBytes } = this.#options;
    const opening = spools.open(path, capBytes).then((spool) => {
      this.#spool = spool;
      this.#forget = spool.onGrowth(() => {
        for (const listener of this.#listeners) listener();
      });
      return spool;
    });
    this.#opening = opening;
    opening.catch(() => {
      this.#opening = undefined;
    });
    return opening;
  }

  /** Closes a spool that is only read after a while, since it caches what it read. */
  #letGo(): void {
    if (this.#writing || this.#reading > 0 || this.#opening === undefined) return;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      if (this.#reading > 0) return;
      this.#forget?.();
      this.#forget = undefined;
      this.#opening = undefined;
      this.#spool = undefined;
    }, SPOOL_IDLE_MS);
    this.#idle.unref();
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
