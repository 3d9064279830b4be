/** Answers with bytes that are made for one client at its pace; their maker is told when the client has gone. */
import { DtkdError } from '../../../../protocol/errors.ts';
import { answerBytes } from '../flow/answer-bytes.ts';
import { linkSignals } from '../flow/linked-signal.ts';
import { allowRest } from '../listening/reader-patience.ts';
import type { Api, ApiContext } from '../request/request.ts';

/**
 * `what`: name of the result, for people; `type`: its media type. Errors: those of `make`, and those before the first chunk of the
 * bytes.
 */
export async function answerMade(
  api: Api,
  c: ApiContext,
  { what, type }: { what: string; type: string },
  make: (signal: AbortSignal) => Promise<{ bytes: AsyncIterable<Uint8Array> }>,
): Promise<Response> {
  const gone = new AbortController();
  const { signal, release } = linkSignals([gone.signal, c.req.raw.signal, api.closing]);
  const end = () => {
    gone.abort(new DtkdError('UNAVAILABLE', `the client that asked for the ${what} has gone`));
    release();
  };
  // answerBytes has a limit of its own
  allowRest(c.env?.outgoing);
  try {
    const { bytes } = await make(signal);
    return await answerBytes(bytes, { type, end, release });
  } catch (error) {
    end();
    throw error;
  }
}
