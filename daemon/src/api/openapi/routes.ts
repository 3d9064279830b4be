/** Serves the API's description and the reference page to everybody: they contain nothing about this node. */
import { DtkdError } from '../../../../protocol/errors.ts';
import { iteratedBody } from '../flow/iterated-body.ts';
import { parseAccept } from '../request/media.ts';
import type { ApiContext } from '../request/request.ts';
import type { Document, Documents } from './documents.ts';

/** A document at a URL with its hash never changes. Kept for a year. */
const IMMUTABLE = 'public, max-age=31536000, immutable';
/** At other URLs clients check whether it is still the same. */
const REVALIDATED = 'no-cache';
/** Bytes that are written at a time. */
const PIECE_BYTES = 64 * 1024;
/** A client that takes nothing of a document for this many milliseconds is considered gone. */
const STALL_MS = 60_000;

export async function getOpenApi(documents: Documents, c: ApiContext): Promise<Response> {
  const path = c.req.path.replace(/^\/openapi\//, '');
  if (path === 'v2') return answerDocument(c, await (wantsProtobuf(c) ? documents.v2Protobuf() : documents.v2()), { vary: true });
  if (path === 'v3') return answerDocument(c, await documents.index());
  const place = path.replace(/^v3\//, '');
  const document = path.startsWith('v3/') ? await documents.group(place) : undefined;
  if (document === undefined) {
    throw new DtkdError('NOT_FOUND', `there is no document at ${c.req.path.slice(0, 253)}`, {
      next: 'See /openapi/v3 for the documents of version 3; version 2 is one document, /openapi/v2.',
    });
  }
  const hash = c.req.query('hash');
  if (hash === undefined || hash === '') return answerDocument(c, document);
  if (hash === document.hash) return answerDocument(c, document, { immutable: true });
  // old URLs redirect to the present one
  return c.redirect(`/openapi/v3/${place}?hash=${document.hash}`, 301);
}

/** True if the client asks for protobuf. kubectl's request writes the version in the type with an @, the answer with a dot. */
function wantsProtobuf(c: ApiContext): boolean {
  const [first] = parseAccept(c.req.header('accept'));
  return first?.type.startsWith('application/com.github.proto-openapi.spec.v2') === true && first.type.endsWith('+protobuf');
}

/** Answers with a document and its ETag, compressed if the client accepts that. */
export async function answerDocument(
  c: ApiContext,
  document: Document,
  { immutable = false, vary = false, headers = {} }: { immutable?: boolean; vary?: boolean; headers?: Record<string, string> } = {},
): Promise<Response> {
  const etag = `"${document.hash}"`;
  const about = {
    ...headers,
    'cache-control': immutable ? IMMUTABLE : REVALIDATED,
    etag,
    vary: vary ? 'Accept, Accept-Encoding' : 'Accept-Encoding',
  };
  if (isKnown(c.req.header('if-none-match'), etag)) return new Response(null, { status: 304, headers: about });
  const short = takesGzip(c.req.header('accept-encoding'));
  const bytes = short ? await document.short() : document.bytes;
  return new Response(bytes.length > PIECE_BYTES ? inPieces(bytes) : bytes, {
    status: 200,
    headers: {
      ...about,
      'content-type': document.type,
      ...(short ? { 'content-encoding': 'gzip' } : {}),
      'content-length': String(bytes.length),
    },
  });
}

/**
 * Splits a document into pieces. TLS copies whatever is written at once, which could be a whole document for each of many clients
 * that read none of it.
 */
function inPieces(bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array> {
  let at = 0;
  const next = (): IteratorResult<Uint8Array> => {
    if (at >= bytes.length) return { done: true, value: undefined };
    at += PIECE_BYTES;
    return { done: false, value: bytes.subarray(at - PIECE_BYTES, at) };
  };
  return iteratedBody({ next: async () => next() }, (piece) => piece, { end: () => {}, stallMs: STALL_MS });
}

function isKnown(header: string | undefined, etag: string): boolean {
  return (header ?? '').split(',').some((known) => known.trim().replace(/^W\//, '') === etag || known.trim() === '*');
}

function takesGzip(header: string | undefined): boolean {
  return parseAccept(header === undefined || header === '' ? 'identity' : header).some(({ type }) => type === 'gzip' || type === '*');
}
