/** Fetches backups from the daemon, into a file that gets its name only once it is complete, or to standard output. */
import { open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { DtkdError } from '../../protocol/errors.ts';
import { parseJson } from '../json.ts';
import { cannotWrite } from '../output/cannot-write.ts';
import { removeWhenEnded } from '../output/remove-when-ended.ts';
import type { ApiClient } from './api.ts';
import { type HttpAnswer, readText } from './https.ts';
import { errorOfStatus } from './status-error.ts';

const PATH = '/apis/dtkd.dev/v1/daemon/backup';
/** Backups contain keys. */
const PRIVATE_FILE = 0o600;

export interface BackupOptions {
  /** Called with the number of bytes received so far. */
  onProgress?(done: number): void;
}

/**
 * Writes a backup to a file and returns its size in bytes. Errors: ALREADY_EXISTS unless `replace`, BAD_REQUEST if it cannot be written,
 * DISK_FULL, and those of the daemon.
 */
export async function backupToFile(
  client: ApiClient,
  path: string,
  { replace = false, ...options }: BackupOptions & { replace?: boolean },
): Promise<number> {
  if (!replace && (await stat(path).catch(() => undefined)) !== undefined) {
    throw new DtkdError('ALREADY_EXISTS', `${path} already exists`, { next: 'Choose another name, or overwrite it with --replace.' });
  }
  const part = join(dirname(path), `.${basename(path).slice(0, 200)}.part`);
  // ask before touching the partial file: if another command is having a backup made, that file belongs to it
  const answer = await ask(client);
  const ended = removeWhenEnded(part);
  try {
    // a leftover of an earlier attempt may be readable by others
    await rm(part, { force: true });
    const file = await open(part, 'wx', PRIVATE_FILE);
    let bytes = 0;
    try {
      for await (const chunk of bytesOf(answer, options)) {
        await file.writeFile(chunk);
        bytes += chunk.length;
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, path);
    return bytes;
  } catch (error) {
    answer.message.destroy();
    await rm(part, { force: true });
    throw cannotWrite(path, error);
  } finally {
    ended();
  }
}

/** Writes a backup to a stream, at the stream's pace. Errors: as above. */
export async function backupToStream(client: ApiClient, to: Writable, options: BackupOptions = {}): Promise<void> {
  try {
    await pipeline(bytesOf(await ask(client), options), to, { end: false });
  } catch (error) {
    throw cannotWrite('the backup', error);
  }
}

async function ask(client: Pick<ApiClient, 'https'>): Promise<HttpAnswer> {
  const answer = await client.https.send({ method: 'POST', path: PATH, accept: 'application/x-tar', endless: true });
  if (answer.status >= 400) throw errorOfStatus(answer.status, parseJson(await readText(answer.message)));
  return answer;
}

async function* bytesOf(answer: HttpAnswer, { onProgress }: BackupOptions): AsyncGenerator<Uint8Array> {
  let done = 0;
  try {
    for await (const chunk of answer.message) {
      if (!(chunk instanceof Uint8Array)) continue;
      done += chunk.length;
      onProgress?.(done);
      yield chunk;
    }
  } catch (cause) {
    throw new DtkdError('DAEMON_UNREACHABLE', 'the daemon stopped before the backup was complete', {
      next: 'See its log, then make the backup again.',
      cause,
    });
  } finally {
    answer.message.destroy();
  }
}
