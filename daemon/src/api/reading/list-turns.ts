/**
 * Lists of one client at once. What is read, judged and put together for a list is much more than for anything else, so hundreds of them begun together would
 * keep everybody waiting and fill the memory; here those of one user wait for one another, and for nobody else's.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import { principalText } from '../../../../protocol/rights/principal.ts';
import { Turns } from '../../counting/turns.ts';
import type { Soon } from '../flow/soon.ts';
import { allowRest } from '../listening/reader-patience.ts';
import type { Api, ApiContext } from '../request/request.ts';

const MAX_LISTS = 8;
const MAX_WAITING = 1024;

export const newListTurns = (): Turns => new Turns({ each: MAX_LISTS, waitingEach: MAX_WAITING });

/** Makes a list when it is the turn of whoever asks, at once if it is; the turn ends when the client has the list or has gone. */
export function inTurn({ lists }: Pick<Api, 'lists'>, c: ApiContext, make: () => Soon<Response>): Soon<Response> {
  const outgoing = c.env?.outgoing;
  // members have limits of their own
  if (outgoing === undefined) return make();
  let begun = false;
  let go = () => {};
  const end = lists.take(principalText(c.get('principal')), () => {
    begun = true;
    go();
  });
  if (end === undefined)
    throw new DtkdError('TOO_MANY_REQUESTS', `${MAX_WAITING} lists wait for yours already`, { next: 'Try again in a moment.' });
  outgoing.once('close', end);
  if (begun) return make();
  // of who has gone meanwhile the turn never comes, and nobody waits for the answer
  const { promise, resolve } = Promise.withResolvers<void>();
  go = resolve;
  return promise.then(make);
}

/** What begins with a list, as watches do: that part waits for its turn and has to be taken as a list is. `make` calls `told` at its end. */
export async function* listFirst<T>(
  { lists }: Pick<Api, 'lists'>,
  c: ApiContext,
  signal: AbortSignal,
  make: (told: () => void) => AsyncIterable<T>,
): AsyncGenerator<T> {
  const outgoing = c.env?.outgoing;
  if (outgoing === undefined) {
    yield* make(() => {});
    return;
  }
  try {
    const end = await lists.wait(principalText(c.get('principal')), signal);
    if (end !== undefined) signal.addEventListener('abort', end, { once: true });
    yield* make(() => {
      end?.();
      allowRest(outgoing);
    });
  } catch (error) {
    // whoever waited has gone
    if (!signal.aborted) throw error;
  }
}
