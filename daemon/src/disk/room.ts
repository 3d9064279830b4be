/**
 * Whether there is room on a disk for files that come in bulk. They leave some free: the database, the audit log and the logs are on the same disk as a rule, and a
 * daemon that cannot write those can do nothing. Refusing in time costs one file; the end of the disk costs everybody.
 */
import { statfs } from 'node:fs/promises';

/** What stays free: below it the checkup says that writes fail soon. Bytes; of a small disk a part. */
const LEFT_FREE = 64 * 1024 * 1024;
const LEFT_FREE_PART = 0.1;
/** What is written between two looks: a fraction of what is left free. Bytes. */
const LOOK_EVERY = 1024 * 1024;

export class Room {
  readonly #directory: string;
  /** Bytes that came since the last look. */
  #since = Number.POSITIVE_INFINITY;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** False if so many bytes more would leave too little. */
  async has(bytes: number): Promise<boolean> {
    this.#since += bytes;
    if (this.#since < LOOK_EVERY) return true;
    const { bavail, blocks, bsize } = await statfs(this.#directory);
    const isRoom = bavail * bsize - bytes >= Math.min(LEFT_FREE, blocks * bsize * LEFT_FREE_PART);
    this.#since = isRoom ? 0 : Number.POSITIVE_INFINITY;
    return isRoom;
  }
}
