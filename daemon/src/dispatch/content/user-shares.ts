/** How much of what is kept each user has handed over. Known until the daemon stops: what nobody needs of it is not kept for long. */

/** What a file counts for beside its bytes: many small ones take inodes, rows and memory. */
export const FILE_BYTES = 64 * 1024;

export class UserShares {
  readonly #bytes = new Map<string, number>();
  readonly #files = new Map<string, { user: string; bytes: number }>();

  /** Bytes of the user that are here or coming. */
  of(user: string): number {
    return this.#bytes.get(user) ?? 0;
  }

  add(user: string, bytes: number): void {
    const sum = this.of(user) + bytes;
    if (sum > 0) this.#bytes.set(user, sum);
    else this.#bytes.delete(user);
  }

  /** So many of the bytes that were added are a file now. One that is here already is whoever's it was. */
  keep(user: string, bytes: number, digest: string): void {
    if (this.#files.has(digest)) this.add(user, -bytes);
    else this.#files.set(digest, { user, bytes });
  }

  /** A file is kept no more. */
  drop(digest: string): void {
    const file = this.#files.get(digest);
    if (file !== undefined) this.add(file.user, -file.bytes);
    this.#files.delete(digest);
  }
}
