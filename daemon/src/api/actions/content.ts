/**
 * Uploads and downloads of files: `PUT …/daemon/content` and `GET …/daemon/content/DIGEST`, unchanged and streamed. For this node's
 * operator and users; whoever knows a digest may have the file.
 */
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { digest as digestText } from '../../../../protocol/definitions/code.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import { subjectText } from '../../../../protocol/rights/principal.ts';
import type { ApiContent } from '../api.types.ts';
import { begin } from '../deciding/deciding.ts';
import { DAEMON_GROUP } from '../discovery/discovery.ts';
import { linkSignals } from '../flow/linked-signal.ts';
import { allowLong } from '../request/body-patience.ts';
import { type Api, type ApiContext, answerJson, assertNoTrial } from '../request/request.ts';
import { isRemote } from '../views/visibility.ts';

/** Maximum size of a file, in bytes. */
const MAX_UPLOAD_BYTES = 8 * 1024 ** 3;
const OCTETS = 'application/octet-stream';
const NAME = 'content';

/** Stores a file, and answers with its digest and size once it is durable. */
export async function putContent(api: Api, c: ApiContext): Promise<Response> {
  const content = open(api, c, 'PUT');
  const incoming = c.env?.incoming;
  if (incoming !== undefined) allowLong(incoming);
  const limit = limitOf(c);
  const declared = Number(c.req.header('content-length') ?? Number.NaN);
  if (declared > limit) throw new DtkdError('TOO_LARGE', `the file is larger than ${limit} bytes`);
  // The stream is kept on return, so that a refusal half-way is answered before the rest has arrived.
  const source = incoming === undefined ? (c.req.raw.body ?? []) : incoming.iterator({ destroyOnReturn: false });
  const principal = c.get('principal');
  const taken = await content.take(whole(source, declared), {
    limit,
    ...(principal.type === 'operator' ? {} : { user: subjectText(principal) }),
  });
  return answerJson(c, taken, 201);
}

function limitOf(c: ApiContext): number {
  return Math.min(MAX_UPLOAD_BYTES, bytesOf(c, 'limit') ?? MAX_UPLOAD_BYTES);
}

function bytesOf(c: ApiContext, name: string): number | undefined {
  const text = c.req.query(name);
  if (text === undefined || /^\d{1,15}$/.test(text)) return text === undefined ? undefined : Number(text);
  throw new DtkdError('BAD_REQUEST', `${name} "${text.slice(0, 80)}" is not a number of bytes`);
}

/** The chunks of a body. Throws if it breaks off, since a partial file is none. */
async function* whole(source: AsyncIterable<unknown> | Iterable<unknown>, declared: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  try {
    for await (const chunk of source) {
      if (!(chunk instanceof Uint8Array)) continue;
      size += chunk.length;
      yield chunk;
    }
  } catch (error) {
    throw error instanceof DtkdError ? error : brokenOff(error);
  }
  if (!Number.isNaN(declared) && size !== declared) throw brokenOff(undefined);
}

function brokenOff(cause: unknown): DtkdError {
  return new DtkdError('BAD_REQUEST', 'the connection ended before the whole file had arrived', { cause });
}

/** Returns a file, starting at the byte that a `Range` names. Fetches it from the node that `node` names if it is not here. */
export async function getContent(api: Api, c: ApiContext): Promise<Response> {
  const content = open(api, c, 'GET');
  const digest = digestText.safeParse(c.req.param('digest') ?? '').data;
  if (digest === undefined) throw new DtkdError('BAD_REQUEST', 'content is named by its SHA-256, 64 hexadecimal digits');
  const node = c.req.query('node');
  const told = bytesOf(c, 'size');
  const { signal, release } = linkSignals([c.req.raw.signal, api.closing]);
  const from = { ...(node === undefined ? {} : { node }), ...(told === undefined ? {} : { size: told }) };
  const found = await content.find(digest, { ...from, signal }).finally(release);
  if (found === undefined) throw new DtkdError('CONTENT_MISSING', `content ${digest.slice(0, 12)}… is not on this node`);
  const { path, size } = found;
  const start = startOf(c.req.header('range'), size);
  const headers = {
    'content-type': OCTETS,
    'content-length': String(size - start),
    'accept-ranges': 'bytes',
    etag: `"${digest}"`,
    'cache-control': 'no-store',
    ...(start > 0 ? { 'content-range': `bytes ${start}-${size - 1}/${size}` } : {}),
  };
  if (start === size) return new Response(null, { status: 200, headers });
  const body = Readable.toWeb(createReadStream(path, { start, end: size - 1 }), { type: 'bytes' });
  return new Response(body, { status: start > 0 ? 206 : 200, headers });
}

/**
 * The first byte to send. Only ranges of the form "from here to the end" are supported; others get the whole file, as RFC 9110
 * §14.2 allows.
 */
function startOf(range: string | undefined, size: number): number {
  const from = /^bytes=(\d{1,15})-$/.exec(range ?? '')?.[1];
  if (from === undefined) return 0;
  const start = Number(from);
  if (start < size || start === 0) return start;
  throw new DtkdError('BAD_REQUEST', `the file has ${size} bytes: there are none from ${start} on`);
}

/** Notes the request for the audit log, and admits only this node's operator and users. */
function open(api: Api, c: ApiContext, method: 'PUT' | 'GET'): ApiContent {
  c.set('about', { group: DAEMON_GROUP, kind: 'daemon', name: NAME });
  begin(c, `${method} ${NAME}`, { kind: { group: DAEMON_GROUP, plural: 'daemon' }, namespace: '', name: NAME });
  assertNoTrial(c, `"${NAME}"`);
  const principal = c.get('principal');
  if (isRemote(principal))
    throw new DtkdError('FORBIDDEN', 'files are for users of this node only', {
      next: 'Send the request to that node, with a token of that node.',
    });
  c.get('note').because = principal.type === 'operator' ? 'the operator of this node' : 'open to users';
  if (api.content === undefined) throw new DtkdError('UNAVAILABLE', 'this node keeps no files');
  return api.content;
}
