/**
 * Lets other users of this machine reach what they are to run: the data directory is closed to them, and with it the scripts of modules and the directories of
 * resources. Opened only when a command first runs as another user: they may then pass through by name, and everything else in the data directory
 * is closed to them by itself first. Lists nothing to them.
 */
import { chmod, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** What they may get to, by directory. */
const REACHABLE: Readonly<Record<string, ReadonlySet<string>>> = {
  '': new Set(['dispatch', 'modules', 'resources']),
  dispatch: new Set(['runs']),
};
const OTHERS = 0o007;
const OTHERS_PASS = 0o001;

export class Passage {
  readonly #data: string;
  #opened: Promise<void> | undefined;

  constructor(data: string) {
    this.#data = data;
  }

  /** Lets them pass to a directory within the data directory. */
  async to(directory: string): Promise<void> {
    this.#opened ??= this.#open();
    await this.#opened;
    for (let at = directory; at.length > this.#data.length; at = dirname(at)) await letPass(at);
  }

  async #open(): Promise<void> {
    for (const [within, reachable] of Object.entries(REACHABLE)) {
      const directory = join(this.#data, within);
      for (const name of await readdir(directory)) {
        if (reachable.has(name)) continue;
        const path = join(directory, name);
        const { mode } = await stat(path);
        if ((mode & OTHERS) !== 0) await chmod(path, mode & 0o777 & ~OTHERS);
      }
    }
    // Last: what is open to all by its own mode was not before.
    await letPass(this.#data);
  }
}

async function letPass(directory: string): Promise<void> {
  const { mode } = await stat(directory);
  if ((mode & OTHERS_PASS) === 0) await chmod(directory, (mode & 0o777) | OTHERS_PASS);
}
