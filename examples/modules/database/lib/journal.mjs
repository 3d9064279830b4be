// Keeps what a database holds: every change is written to a journal before it is answered, and the journal is read, and written anew without what
// is no longer so, at the next start. What was cut off at its end by a crash is left out. After a loss of power the last second may be missing.
import { existsSync, fsync, fsyncSync, openSync, readFileSync, renameSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Commands, commandBytes } from './resp.mjs';

/** So often the system is asked to put what was written on the disk. */
const SYNC_MS = 1_000;

export class Journal {
  #file;
  #synced = true;
  #syncing = false;

  /** Reads the journal of a directory into `values`, and goes on with it. */
  constructor(directory, values) {
    const path = join(directory, 'journal');
    if (existsSync(path)) replay(readFileSync(path), values);
    const fresh = join(directory, 'journal.new');
    writeFileSync(fresh, '', { mode: 0o600 });
    truncateSync(fresh);
    this.#file = openSync(fresh, 'a', 0o600);
    for (const [key, value] of values) this.set(Buffer.from(key, 'latin1'), value);
    fsyncSync(this.#file);
    renameSync(fresh, path);
    setInterval(() => this.#sync(), SYNC_MS).unref();
  }

  set(key, value) {
    this.#write(['SET', key, value]);
  }

  remove(key) {
    this.#write(['DEL', key]);
  }

  /** Puts all on the disk. */
  close() {
    fsyncSync(this.#file);
  }

  #write(words) {
    const bytes = commandBytes(words);
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#file, bytes, at);
    this.#synced = false;
  }

  #sync() {
    if (this.#synced || this.#syncing) return;
    this.#synced = true;
    this.#syncing = true;
    fsync(this.#file, (error) => {
      this.#syncing = false;
      if (error === null) return;
      console.error(`what was written cannot be put on the disk: ${error.message}`);
      process.exit(1);
    });
  }
}

function replay(bytes, values) {
  const commands = new Commands();
  // in pieces: what the reader holds at a time is bounded
  for (let at = 0; at < bytes.length; at += 65_536) {
    for (const [name, key, value] of commands.take(bytes.subarray(at, at + 65_536))) {
      if (name.equals(Buffer.from('SET'))) values.set(key.toString('latin1'), Buffer.from(value));
      else values.delete(key.toString('latin1'));
    }
  }
}
