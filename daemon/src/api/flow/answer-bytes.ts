/** Answers with bytes as they are made, at the pace of the client. */
import { iteratedBody } from './iterated-body.ts';

/** A client that takes nothing for this many milliseconds is considered gone: only a few such answers may be open at once. */
const STALL_MS = 10 * 60_000;

export interface BytesAnswer {
  /** Media type. */
  type: string;
  /** Called when the client has gone, or the bytes have failed. */
  end(): void;
  /** Called when all bytes have been taken. */
  release(): void;
  /** How long the client may take nothing, in milliseconds. */
  stallMs?: number;
}

/**
 * Answers with `bytes`. An error before the first chunk is thrown, so that it can be answered with a code. A later one breaks the
 * connection, so that the client sees no proper end.
 */
export async function answerBytes(
  bytes: AsyncIterable<Uint8Array>,
  { type, end, release, stallMs = STALL_MS }: BytesAnswer,
): Promise<Response> {
  const chunks = bytes[Symbol.asyncIterator]();
  let first: IteratorResult<Uint8Array> | undefined = await chunks.next();
  const all: AsyncIterator<Uint8Array> = {
    next() {
      const next = first === undefined ? chunks.next() : Promise.resolve(first);
      first = undefined;
      return next;
    },
    return: async () => chunks.return?.() ?? { done: true, value: undefined },
  };
  const body = iteratedBody(all, (chunk) => chunk, { end, release, ahead: 1, stallMs });
  return new Response(body, { status: 200, headers: { 'content-type': type, 'cache-control': 'no-store' } });
}
