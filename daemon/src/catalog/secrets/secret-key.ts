/** The key of this node's secrets: a file outside the database, so that a copy of the database alone reveals nothing. */
import { randomBytes } from 'node:crypto';
import { link, open, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DtkdError } from '../../../../protocol/errors.ts';
import { syncDirectory } from '../../disk/sync-directory.ts';
import { systemCode } from '../../disk/system-error.ts';
import { SECRET_KEY_BYTES } from './secret-box.ts';

export const SECRET_KEY_FILE = 'secrets.key';
const MODE = 0o600;

export class SecretKey {
  readonly #path: string;
  #known: Promise<Buffer> | undefined;

  constructor(directory: string) {
    this.#path = join(directory, SECRET_KEY_FILE);
  }

  /** Returns the key; creates it if there is none. */
  ensure(): Promise<Buffer> {
    this.#known ??= this.#readOrMake().catch((error: unknown) => {
      this.#known = undefined;
      throw error;
    });
    return this.#known;
  }

  /** Returns the key; undefined if there is none. */
  async find(): Promise<Buffer | undefined> {
    return this.#known ?? this.#read();
  }

  async #readOrMake(): Promise<Buffer> {
    return (await this.#read()) ?? this.#make();
  }

  async #read(): Promise<Buffer | undefined> {
    let key: Buffer;
    try {
      key = await readFile(this.#path);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw new DtkdError('INTERNAL', `the key of the secrets, ${SECRET_KEY_FILE}, cannot be read`, { cause: error });
    }
    if (key.length === SECRET_KEY_BYTES) return key;
    throw new DtkdError('INTERNAL', `${SECRET_KEY_FILE} is not a key of secrets`, {
      next: 'Restore it from a backup; or remove it and set all secrets again.',
    });
  }

  /** Writes the key whole or not at all: it gets its name once it is durable. */
  async #make(): Promise<Buffer> {
    const key = randomBytes(SECRET_KEY_BYTES);
    const fresh = `${this.#path}.${randomBytes(4).toString('hex')}`;
    try {
      const file = await open(fresh, 'wx', MODE);
      try {
        await file.writeFile(key);
        await file.sync();
      } finally {
        await file.close();
      }
      // link fails if there is a key already, so an existing key is never replaced
      await link(fresh, this.#path);
      await syncDirectory(dirname(this.#path));
      return key;
    } catch (error) {
      const full = systemCode(error) === 'ENOSPC';
      throw new DtkdError(full ? 'DISK_FULL' : 'INTERNAL', `the key of the secrets, ${SECRET_KEY_FILE}, cannot be written`, {
        cause: error,
      });
    } finally {
      await rm(fresh, { force: true });
    }
  }
}
