/**
 * Gives other users of this machine access to what they are to run: the data directory is closed to them, and with it the scripts of
 * modules and the directories of resources. Opens it only when a command first runs as another user. They may then pass through it by
 * name, but not list it; everything else in it is closed to them first.
 */
import { chmod, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DtkdError } from '../../../../../protocol/errors.ts';
import { shellWord } from '../../../../../protocol/text/shell-word.ts';
import { fileError } from '../../content/file-error.ts';

/** What they may reach, by directory. */
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

  /** Lets them pass to a directory within the data directory. Errors: FORBIDDEN and the like if that is not possible. */
  async to(directory: string): Promise<void> {
    try {
      this.#opened ??= this.#open();
      await this.#opened.catch((error: unknown) => {
        this.#opened = undefined;
        throw error;
      });
      for (let at = directory; at.length > this.#data.length; at = dirname(at)) await letPass(at);
    } catch (error) {
      throw fileError(error, directory);
    }
  }

  /**
   * Opens the data directory again if it was open before: a starting daemon closes it, while processes of other users go on. Errors: as
   * `to`.
   */
  async again(): Promise<void> {
    const runs = join(this.#data, 'dispatch', 'runs');
    const found = await stat(runs).catch(() => undefined);
    if (found !== undefined && (found.mode & OTHERS_PASS) !== 0) await this.to(runs);
  }

  async #open(): Promise<void> {
    for (const [within, reachable] of Object.entries(REACHABLE)) {
      const directory = join(this.#data, within);
      for (const name of await readdir(directory)) {
        if (reachable.has(name)) continue;
        await close(join(directory, name));
      }
    }
    // last, since only this makes what is open by its own mode reachable
    await letPass(this.#data);
  }
}

/** Errors: FORBIDDEN. */
async function close(path: string): Promise<void> {
  try {
    const { mode } = await stat(path);
    if ((mode & OTHERS) !== 0) await chmod(path, mode & 0o777 & ~OTHERS);
  } catch (error) {
    const { code } = fileError(error, path);
    // it is gone, or is a link to something that is gone
    if (code === 'NOT_FOUND') return;
    throw new DtkdError('FORBIDDEN', `no command runs as another user while ${path} is open to all, and the daemon cannot close it`, {
      next: `Remove it, or close it: chmod o= ${shellWord(path)}`,
      cause: error,
    });
  }
}

async function letPass(directory: string): Promise<void> {
  const { mode } = await stat(directory);
  if ((mode & OTHERS_PASS) === 0) await chmod(directory, (mode & 0o777) | OTHERS_PASS);
}
