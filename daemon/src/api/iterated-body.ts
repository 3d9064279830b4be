/** The body of an answer that is made while it is sent. */

export interface IteratedBodyOptions {
  /** Told once: the client has gone, also before the first chunk, when a generator that was never begun is not told; or a chunk could not be made. */
  end(): void;
  /** Told instead of `end` when all has been taken. */
  release?(): void;
  /** Chunks that are made before the client asks for them. */
  ahead?: number;
}

/** Chunks as they are made, at the pace of the client. What cannot be made breaks the connection, so that the client sees no end. */
export function iteratedBody<T>(
  chunks: AsyncIterator<T>,
  bytesOf: (chunk: T) => Uint8Array,
  { end, release = end, ahead = 0 }: IteratedBodyOptions,
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await chunks.next().catch((error: unknown) => {
          end();
          throw error;
        });
        if (next.done !== true) return controller.enqueue(bytesOf(next.value));
        release();
        controller.close();
      },
      async cancel() {
        end();
        await chunks.return?.();
      },
    },
    { highWaterMark: ahead },
  );
}
