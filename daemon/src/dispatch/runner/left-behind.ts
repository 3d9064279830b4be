/**
 * Drains the pipes of processes that outlived the command that started them, so that their writes neither block for ever nor fail. After
 * a restart of the daemon it finds the pipes again. Removes a pipe that nobody else holds open any more.
 */
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { compileMasks } from './masks.ts';
import { type OutputReader, readOutput } from './output-reader.ts';
import { reopenPipe } from './run-directories.ts';

/** Maximum number of drained pipes, each an open file. Beyond it, the oldest are closed, and their writers block. */
const MAX_PIPES = 256;

export interface LeftBehind {
  /** Takes over a reader that has let go, and its pipe from the run directory. Never rejects. */
  keep(reader: OutputReader, path: string): Promise<void>;
  close(): Promise<void>;
}

export function createLeftBehind(directory: string): LeftBehind {
  const kept = new Map<string, OutputReader>();
  let closed = false;
  let made = 0;

  const watch = (path: string, reader: OutputReader): void => {
    if (closed) {
      reader.stop();
      return;
    }
    kept.set(path, reader);
    void reader.closed.then(async () => {
      if (kept.get(path) === reader && !closed) await rm(path, { force: true }).catch(() => undefined);
      kept.delete(path);
    });
    const oldest = kept.size > MAX_PIPES ? [...kept].at(0) : undefined;
    if (oldest === undefined) return;
    kept.delete(oldest[0]);
    oldest[1].stop();
  };

  const findAgain = async (): Promise<void> => {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    for (const name of (await readdir(directory)).slice(0, MAX_PIPES)) {
      const path = join(directory, name);
      const descriptor = await reopenPipe(path);
      if (descriptor === undefined) continue;
      const reader = readOutput(descriptor, compileMasks([]).masker(), () => undefined);
      reader.leave();
      watch(path, reader);
    }
  };
  const found = findAgain().catch(() => undefined);

  return {
    async keep(reader, path) {
      await found;
      const place = join(directory, `${Date.now()}-${process.pid}-${made++}`);
      await rename(path, place).catch(() => undefined);
      watch(place, reader);
    },
    async close() {
      closed = true;
      await found;
      for (const reader of kept.values()) reader.stop();
      kept.clear();
    },
  };
}
