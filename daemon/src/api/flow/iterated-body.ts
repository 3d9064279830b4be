/** A response body that is made while it is sent. */

export interface IteratedBodyOptions {
  /**
   * Called once, when the client has gone or a chunk could not be made. Unlike the `finally` of a generator, it is also called if
   * the client goes before the first chunk.
   */
  end(): void;
  /** Called instead of `end` when everything has been taken. */
  release?(): void;
  /** Number of chunks that are made before the client asks for them. */
  ahead?: number;
  /**
   * A client that takes nothing for this many milliseconds is considered gone, since the answer holds resources for it. Absent: it
   * may pause for as long as it likes.
   */
  stallMs?: number;
}

/**
 * A stream of the chunks as they are made, at the client's pace. If a chunk cannot be made, the connection breaks, so that the
 * client sees no proper end.
 */
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
      controller.error(new Error('the client has stopped reading'));
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
        // the client may have gone while the chunk was made
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
