import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { digest } from '../../protocol/definitions/code.ts';
import { DtkdError } from '../../protocol/errors.ts';
import { cannotRead } from '../input/read-capped.ts';
import { parseJson } from '../json.ts';
import type { ApiClient } from './api.ts';
import { type HttpAnswer, readText } from './https.ts';
import { errorOfStatus } from './status-error.ts';

const PATH = '/apis/dtkd.dev/v1/daemon/content';

const taken = z.object({ digest, size: z.number().int().nonnegative() });
export type TakenContent = z.infer<typeof taken>;

export interface PutOptions {
  /** The number of bytes to be sent, if known. */
  length?: number;
}

/**
 * Sends bytes to the daemon, which stores them under their digest. `source` is opened again if the first way to reach the daemon fails.
 * Errors: TOO_LARGE, DISK_FULL.
 */
export async function putContent(
  client: ApiClient,
  source: (() => Readable) | Uint8Array,
  options: PutOptions = {},
): Promise<TakenContent> {
  const bytes = source instanceof Uint8Array ? { open: () => Readable.from([source]), length: source.length } : { open: source };
  const answer = await client.https.send({
    method: 'PUT',
    path: PATH,
    bytes: { ...bytes, ...(options.length === undefined ? {} : { length: options.length }) },
  });
  const body = await bodyOf(answer);
  const parsed = taken.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new DtkdError('NOT_DTKD', 'the answer of the daemon lacks the digest of the content', { next: 'Check --url.' });
}

export interface PutFileOptions {
  /** Called with the bytes sent so far and the total. */
  onProgress?(done: number, size: number): void;
}

/** Sends a file as it is now. Errors: BAD_REQUEST if it cannot be read, CONFLICT if it changed meanwhile. */
export async function putFile(
  client: ApiClient,
  path: string,
  { onProgress }: PutFileOptions = {},
): Promise<TakenContent & { mode: number }> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw cannotRead(path, cause);
  });
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new DtkdError('BAD_REQUEST', `${path} is not a file`);
    // data appended meanwhile is not sent, since the length has been announced
    const end = stats.size - 1;
    const source = () => {
      if (stats.size === 0) return Readable.from([]);
      const stream = createReadStream(path, { fd: file, start: 0, end, autoClose: false });
      if (onProgress !== undefined) stream.on('data', () => onProgress(stream.bytesRead, stats.size));
      return stream;
    };
    const content = await putContent(client, source, { length: stats.size });
    const now = await file.stat();
    if (now.mtimeMs !== stats.mtimeMs || now.size !== stats.size) {
      throw new DtkdError('CONFLICT', `${path} changed while it was read`, { next: 'Copy it again while nothing writes to it.' });
    }
    return { ...content, mode: stats.mode & 0o777 };
  } finally {
    await file.close();
  }
}

export interface GetOptions {
  /** The node that has the content, and its size there, in case the daemon has to fetch it first. */
  at?: { node: string; size: number };
  /** The offset of the first byte to send. */
  from?: number;
}

/** Streams the bytes with a given digest. Errors: CONTENT_MISSING, CONTENT_ALTERED, NOT_FOUND, FORBIDDEN. */
export async function getContent(client: ApiClient, wanted: string, { at, from }: GetOptions = {}): Promise<IncomingMessage> {
  const query = at === undefined ? '' : `?${new URLSearchParams({ node: at.node, size: String(at.size) })}`;
  const answer = await client.https.send({
    method: 'GET',
    path: `${PATH}/${encodeURIComponent(wanted)}${query}`,
    ...(from === undefined ? {} : { from }),
    accept: 'application/octet-stream',
    endless: true,
  });
  if (answer.status < 400) return answer.message;
  throw errorOfStatus(answer.status, parseJson(await readText(answer.message)));
}

async function bodyOf(answer: HttpAnswer): Promise<unknown> {
  const body = parseJson(await readText(answer.message));
  if (answer.status >= 400) throw errorOfStatus(answer.status, body);
  return body;
}
