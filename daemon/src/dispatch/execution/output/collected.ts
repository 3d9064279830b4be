/**
 * The collected output of one part: a file of records, with the same offsets as at the target. Guarantees that what was appended can be
 * read at once, and that a record cut off by a crash is removed. Keeps no file open, so thousands of parts cost nothing, and syncs
 * nothing to disk, since the target has the original.
 */
import { appendFile, mkdir, open, stat, truncate } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DtkdError } from '../../../../../protocol/errors.ts';
import { MAX_RECORD_BYTES } from '../../../../../protocol/orders/records.ts';
import { isMissing } from '../../../disk/system-error.ts';
import { MAX_COLLECTED_BYTES } from '../limits.ts';
import { printedIn, readRecords, wholeRecords } from './records.ts';

const SCAN_BYTES = 1024 * 1024;

/** Takes output in order. */
export interface OutputSink {
  /** Where the output ends, and the next records begin. */
  readonly offset: number;
  /** How many bytes of what it began with the command wrote; undefined if that is not counted. */
  readonly printedAtFirst?: number | undefined;
  /** Appends whole records. Resolves when it can take more. */
  append(records: Uint8Array): Promise<void>;
}

/** What a file holds. */
interface Found {
  length: number;
  /** Bytes that the command wrote; undefined if not known. */
  printed: number | undefined;
}

const NOTHING: Found = { length: 0, printed: 0 };

export class Collected implements OutputSink {
  readonly printedAtFirst: number | undefined;
  readonly #path: string;
  readonly #capBytes: number;
  #offset: number;
  #kept: number;
  #made = false;

  private constructor(path: string, { length, printed }: Found, capBytes: number) {
    this.printedAtFirst = printed;
    this.#path = path;
    this.#offset = length;
    this.#kept = length;
    this.#capBytes = capBytes;
  }

  /** Begins a new one. */
  static begin(path: string, capBytes = MAX_COLLECTED_BYTES): Collected {
    return new Collected(path, NOTHING, capBytes);
  }

  /** Opens a complete one, to which nothing is added. */
  static at(path: string, found: Found): Collected {
    return new Collected(path, found, found.length);
  }

  /** Goes on with an existing one, if there is one. */
  static async resume(path: string, capBytes = MAX_COLLECTED_BYTES): Promise<Collected> {
    return new Collected(path, await recover(path), capBytes);
  }

  get offset(): number {
    return this.#offset;
  }

  /** Bytes that only the target has: those beyond the cap. */
  get dropped(): number {
    return this.#offset - this.#kept;
  }

  async append(records: Uint8Array): Promise<void> {
    const fits = this.#offset === this.#kept && this.#kept + records.length <= this.#capBytes;
    if (fits) {
      if (!this.#made) await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
      this.#made = true;
      try {
        await appendFile(this.#path, records, { mode: 0o600 });
      } catch (error) {
        // the disk may be full: a partial write would be taken for records
        await truncate(this.#path, this.#kept).catch(() => undefined);
        throw error;
      }
      this.#kept += records.length;
    }
    this.#offset += records.length;
  }

  /**
   * Whole records from an offset on: at most `maxBytes`, but at least one record; empty at the end. Errors: FRAME_INVALID if no record
   * starts there.
   */
  async read(offset: number, maxBytes: number): Promise<Uint8Array> {
    return readCollected(this.#path, offset, maxBytes, this.#kept);
  }
}

/** Reads collected output; empty if it has been removed. */
export async function readCollected(path: string, offset: number, maxBytes: number, end = Number.POSITIVE_INFINITY): Promise<Uint8Array> {
  if (offset >= end) return new Uint8Array();
  const file = await openIfThere(path);
  if (file === undefined) return new Uint8Array();
  try {
    const buffer = new Uint8Array(Math.min(Math.max(maxBytes, MAX_RECORD_BYTES + 4), end - offset));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
    const whole = wholeRecords(buffer.subarray(0, bytesRead));
    if (whole === 0 && bytesRead > 0) throw new DtkdError('FRAME_INVALID', 'there is no record at this offset');
    return buffer.subarray(0, whole);
  } finally {
    await file.close();
  }
}

async function openIfThere(path: string) {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Cuts off a record that is not whole. Returns what is left. */
async function recover(path: string): Promise<Found> {
  const file = await openIfThere(path);
  if (file === undefined) return NOTHING;
  let offset = 0;
  let printed: number | undefined = 0;
  try {
    const buffer = new Uint8Array(SCAN_BYTES);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
      const whole = safeWhole(buffer.subarray(0, bytesRead));
      if (whole === 0) break;
      offset += whole;
      printed = printed === undefined ? undefined : plus(printed, buffer.subarray(0, whole));
    }
  } finally {
    await file.close();
  }
  if ((await stat(path)).size > offset) await truncate(path, offset);
  return { length: offset, printed };
}

function plus(printed: number, records: Uint8Array): number | undefined {
  try {
    return printed + printedIn(readRecords(records));
  } catch {
    return undefined;
  }
}

function safeWhole(bytes: Uint8Array): number {
  try {
    return wholeRecords(bytes);
  } catch {
    return 0;
  }
}
