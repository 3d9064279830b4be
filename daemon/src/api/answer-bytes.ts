/** Answers with bytes as they are made, at the pace of the client. */

export interface BytesAnswer {
  /** Media type. */
  type: string;
  /** The client has gone, or the bytes have failed. */
  end(): void;
  /** All bytes have been taken. */
  release(): void;
}

/** What goes wrong with the beginning is thrown, for an answer with a code; later the connection breaks, and the client has no end. */
export async function answerBytes(bytes: AsyncIterable<Uint8Array>, { type, end, release }: BytesAnswer): Promise<Response> {
  const chunks = bytes[Symbol.asyncIterator]();
  let next: IteratorResult<Uint8Array> | undefined = await chunks.next();
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } =
          next ??
          (await chunks.next().catch((error: unknown) => {
            end();
            throw error;
          }));
        next = undefined;
        if (done !== true) return controller.enqueue(value);
        release();
        controller.close();
      },
      async cancel() {
        end();
        await chunks.return?.();
      },
    },
    { highWaterMark: 1 },
  );
  return new Response(body, { status: 200, headers: { 'content-type': type, 'cache-control': 'no-store' } });
}
