/** The body of an answer that is made while it is sent. */

export interface IteratedBodyOptions {
  /** Told once: the client has gone, also before the first chunk, when a generator that was never begun is not told; or a chunk could not be made. */
  end(): void;
  /** Told instead of `end` when all has been taken. */
  release?(): void;
  /** Chunks that are made before the client asks for them. */
  ahead?: number;
  /** A client that takes nothing for so many milliseconds has gone, for what the answer keeps for it. Absent: it may rest as long as it likes. */
  stallMs?: number;
}

/** Chunks as they are made, at the pace of the client. What cannot be made breaks the connection, so that the client sees no end. */
export function iteratedBody<T>(
  chunks: AsyncIterator<T>,
  bytesOf: (chunk: T) => Uint8Array,
  { end, release = end, ahead = 0, stallMs }: IteratedBodyOptions,
): ReadableStream<Uint8Array> {
  let stall: NodeJS.Timeout | undefined;
  let over = false;
  const finish = (tell: () => void) => {
    clearTimeout(stall);
    if (!over) tell();
    over = true;
  };
  const leave = async () => {
    finish(end);
    await chunks.return?.();
  };
  const rest = (controller: ReadableStreamDefaultController) => {
    const cut = () => {
      controller.error(new Error('the client takes nothing'));
      void leave().catch(() => undefined);
    };
    if (stallMs !== undefined) stall = setTimeout(cut, stallMs).unref();
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        clearTimeout(stall);
        const next = await chunks.next().catch((error: unknown) => {
          finish(end);
          throw error;
        });
        // the client may have gone while it was made
        if (over) return;
        if (next.done !== true) {
          rest(controller);
          return controller.enqueue(bytesOf(next.value));
        }
        finish(release);
        controller.close();
      },
      cancel: leave,
    },
    { highWaterMark: ahead },
  );
}
