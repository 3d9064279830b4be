/** Exports bundle files from the daemon and imports them. */
import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { DtkdError } from '../../protocol/errors.ts';
import type { ParcelRequestInput } from '../../protocol/parcel/request.ts';
import { cannotRead } from '../input/read-capped.ts';
import { parseJson, textAt } from '../json.ts';
import { cannotWrite } from '../output/cannot-write.ts';
import { removeWhenEnded } from '../output/remove-when-ended.ts';
import { type InspectedParcel, inspect } from '../parcel/contents.ts';
import type { ApiClient } from './api.ts';
import { readText } from './https.ts';
import { errorOfStatus } from './status-error.ts';

const PATH = '/apis/dtkd.dev/v1/daemon/parcel';

const count = z.number().int().nonnegative();
const counts = z.object({ taken: count, known: count });
const importReport = z.object({
  id: z.string(),
  made: z.number(),
  dryRun: z.boolean(),
  domains: z.array(
    z.object({
      name: z.string(),
      maker: z.string(),
      makerName: z.string(),
      facts: z.object({ new: count }),
      entries: z.object({ new: count, known: count }),
      gaps: z.array(z.string()),
      orders: counts,
      answers: counts,
    }),
  ),
  skipped: z.array(z.string()),
  modules: counts,
  refused: z.object({ count, first: z.array(z.object({ what: z.string(), code: z.string(), message: z.string() })) }),
});
export type ImportReport = z.infer<typeof importReport>;

export interface TransferOptions {
  /** Called with the number of bytes transferred so far. */
  onProgress?(done: number): void;
}

/**
 * Makes a bundle file. It gets its name only once it is complete, and only its owner can read it. Errors: ALREADY_EXISTS unless `replace`,
 * BAD_REQUEST if it cannot be written, and those of the daemon.
 */
export async function exportParcel(
  client: ApiClient,
  request: ParcelRequestInput,
  path: string,
  { replace = false, onProgress }: TransferOptions & { replace?: boolean },
): Promise<InspectedParcel> {
  if (!replace && (await stat(path).catch(() => undefined)) !== undefined) {
    throw new DtkdError('ALREADY_EXISTS', `${path} already exists`, { next: 'Choose another name, or overwrite it with --replace.' });
  }
  const answer = await client.https.send({
    method: 'POST',
    path: `${PATH}/export`,
    body: request,
    accept: 'application/octet-stream',
    endless: true,
  });
  if (answer.status >= 400) throw errorOfStatus(answer.status, parseJson(await readText(answer.message)));
  // a random name: two exports to one file do not mix, and nobody can have created it beforehand to read along
  const part = join(dirname(path), `.${basename(path).slice(0, 200)}.${randomBytes(6).toString('hex')}.part`);
  const ended = removeWhenEnded(part);
  try {
    const inspected = await writeChecked(answer.message, part, onProgress);
    await rename(part, path);
    return inspected;
  } catch (error) {
    answer.message.destroy();
    await rm(part, { force: true });
    if (error instanceof DtkdError && error.code !== 'PARCEL_INVALID') throw error;
    const code = textAt(error, 'code');
    if (code === 'ECONNRESET' || code === 'PARCEL_INVALID') {
      throw new DtkdError('DAEMON_UNREACHABLE', 'the daemon stopped before the bundle was complete', {
        next: 'See its log, then export again.',
        cause: error,
      });
    }
    throw cannotWrite(path, error);
  } finally {
    ended();
  }
}

/** Inspects the bundle while writing it, since a truncated one is not valid. */
async function writeChecked(source: AsyncIterable<unknown>, path: string, onProgress?: (done: number) => void): Promise<InspectedParcel> {
  const file = await open(path, 'wx', 0o600);
  try {
    const inspected = await inspect(written());
    await file.sync();
    return inspected;
  } finally {
    await file.close();
  }

  async function* written(): AsyncGenerator<Uint8Array> {
    let done = 0;
    for await (const chunk of source) {
      if (!(chunk instanceof Uint8Array)) continue;
      await file.writeFile(chunk);
      done += chunk.length;
      onProgress?.(done);
      yield chunk;
    }
  }
}

/** Sends a bundle file to the daemon. Errors: BAD_REQUEST if it cannot be read, and those of the daemon. */
export async function importParcel(
  client: ApiClient,
  path: string,
  { dryRun, onProgress }: TransferOptions & { dryRun: boolean },
): Promise<ImportReport> {
  const stats = await stat(path).catch((cause: unknown) => {
    throw cannotRead(path, cause);
  });
  if (!stats.isFile()) throw new DtkdError('BAD_REQUEST', `${path} is not a file`);
  const source = () => {
    const stream = createReadStream(path);
    if (onProgress !== undefined) stream.on('data', () => onProgress(stream.bytesRead));
    return stream;
  };
  const answer = await client.https.send({
    method: 'POST',
    path: dryRun ? `${PATH}?dryRun=All` : PATH,
    bytes: { open: source, length: stats.size },
    endless: true,
  });
  const body = parseJson(await readText(answer.message));
  if (answer.status >= 400) throw errorOfStatus(answer.status, body);
  const report = importReport.safeParse(body);
  if (report.success) return report.data;
  throw new DtkdError('NOT_DTKD', 'the daemon answered without saying what was in the bundle', { next: 'Check --url.' });
}
