/**
 * How much of the kept content each user has uploaded. Known only until the daemon stops: content that nobody needs is not kept for long.
 */

/** What a file counts in addition to its bytes: many small files take inodes, rows and memory. */
export const FILE_BYTES = 64 * 1024;

export class UserShares {
  readonly #bytes = new Map<string, number>();
  readonly #files = new Map<string, { user: string; bytes: number }>();

  /** Bytes of this user that are here or arriving. */
  of(user: string): number {
    return this.#bytes.get(user) ?? 0;
  }

  add(user: string, bytes: number): void {
    const sum = this.of(user) + bytes;
    if (sum > 0) this.#bytes.set(user, sum);
    else this.#bytes.delete(user);
  }

  /** Assigns so many of the added bytes to a file. If somebody uploaded that file before, it stays theirs. */
  keep(user: string, bytes: number, digest: string): void {
    if (this.#files.has(digest)) this.add(user, -bytes);
    else this.#files.set(digest, { user, bytes });
  }

  /** A file is not kept any more. */
  drop(digest: string): void {
    const file = this.#files.get(digest);
    if (file !== undefined) this.add(file.user, -file.bytes);
    this.#files.delete(digest);
  }
}
