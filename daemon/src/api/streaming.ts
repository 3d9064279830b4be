import { DtkdError } from '../../../protocol/errors.ts';
import { GIVEN_UP, linkSignals } from './linked-signal.ts';
import { type Api, type ApiContext, answerText } from './request.ts';

/** Tells whoever passes an answer on that it goes on for as long as it likes. */
export const LINES_TYPE = 'application/json;stream=lines';

/**
 * Answers with lines made of what `make` yields. Headers go out at once; the client's reading speed is the pace; the signal given to
 * `make` aborts when the client goes away, the server closes, or the time is over. `make` must not throw.
 */
export function answerLines(
  api: Api,
  c: ApiContext,
  make: (signal: AbortSignal) => AsyncIterable<string>,
  { timeoutMs, contentType }: { timeoutMs?: number | undefined; contentType?: string } = {},
): Response {
  if (api.streams.open >= api.streams.limit) {
    throw new DtkdError('TOO_MANY_REQUESTS', `${api.streams.limit} watches and streams are open here already`, {
      next: 'Close some, or try again later.',
    });
  }
  api.streams.open += 1;
  const gone = new AbortController();
  const { signal, release } = linkSignals([gone.signal, api.closing]);
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => gone.abort(GIVEN_UP), timeoutMs);
  let ended = false;
  const end = () => {
    if (ended) return;
    ended = true;
    clearTimeout(timer);
    gone.abort(GIVEN_UP);
    release();
    api.streams.open -= 1;
  };
  const lines = make(signal)[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await lines.next().catch((error: unknown) => {
          end();
          throw error;
        });
        if (next.done === true) {
          end();
          controller.close();
        } else {
          controller.enqueue(encoder.encode(`${next.value}\n`));
        }
      },
      async cancel() {
        end();
        await lines.return?.();
      },
    },
    { highWaterMark: 1 },
  );
  return answerText(c, body, 200, contentType);
}
