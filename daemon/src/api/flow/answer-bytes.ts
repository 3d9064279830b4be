/** Answers with bytes as they are made, at the pace of the client. */
import { iteratedBody } from './iterated-body.ts';

/** Who takes nothing for so long has gone, in milliseconds: only a few such answers may be open at once. */
const STALL_MS = 10 * 60_000;

export interface BytesAnswer {
  /** Media type. */
  type: string;
  /** The client has gone, or the bytes have failed. */
  end(): void;
  /** All bytes have been taken. */
  release(): void;
  /** Milliseconds in which the client may take nothing. */
  stallMs?: number;
}

/** What goes wrong with the beginning is thrown, for an answer with a code; later the connection breaks, and the client has no end. */
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
