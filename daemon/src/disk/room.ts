/**
 * Checks that the disk has room for bulk files. These must leave some space free: the database, the audit log and the logs are
 * usually on the same disk, and a daemon that cannot write those can do nothing. Refusing in time costs one file; a full disk costs
 * everybody.
 */
import { statfs } from 'node:fs/promises';

/** Bytes that stay free; on a small disk, the part of it below. With less, the checkup reports that writes will soon fail. */
const LEFT_FREE = 64 * 1024 * 1024;
const LEFT_FREE_PART = 0.1;
/** Bytes that may be written between two checks: a fraction of what stays free. */
const LOOK_EVERY = 1024 * 1024;

export class Room {
  readonly #directory: string;
  /** Bytes written since the last check. */
  #since = Number.POSITIVE_INFINITY;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** False if this many more bytes would leave too little space. */
  async has(bytes: number): Promise<boolean> {
    this.#since += bytes;
    if (this.#since < LOOK_EVERY) return true;
    const { bavail, blocks, bsize } = await statfs(this.#directory);
    const isRoom = bavail * bsize - bytes >= Math.min(LEFT_FREE, blocks * bsize * LEFT_FREE_PART);
    this.#since = isRoom ? 0 : Number.POSITIVE_INFINITY;
    return isRoom;
  }
}
