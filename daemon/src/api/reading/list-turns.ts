/**
 * Lists of one client at once. What is read, judged and put together for a list is much more than for anything else, so hundreds of them begun together would
 * keep everybody waiting and fill the memory; here those of one user wait for one another, for a while each, and for nobody else's.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import { principalText } from '../../../../protocol/rights/principal.ts';
import { Turns } from '../../counting/turns.ts';
import type { Soon } from '../flow/soon.ts';
import { allowRest } from '../listening/reader-patience.ts';
import type { Api, ApiContext } from '../request/request.ts';

const MAX_LISTS = 8;
const MAX_WAITING = 1024;
/** After so long a list waits for its client or for other nodes, and no more for this one: another gets its turn. Milliseconds. */
const TURN_MS = 5_000;
/** Lists of one client that are sent beside those whose turn it is; each keeps what was not taken yet in memory. */
const MAX_SLOW = 24;

/** Turns of lists, and places of those that take longer. */
export const newListTurns = (): Api['lists'] => ({
  turns: new Turns({ each: MAX_LISTS, waitingEach: MAX_WAITING }),
  slow: new Turns({ each: MAX_SLOW, waitingEach: 0 }),
});

/** Makes a list when it is the turn of whoever asks, at once if it is; the turn ends when the client has the list or has gone. */
export function inTurn({ lists }: Pick<Api, 'lists'>, c: ApiContext, make: () => Soon<Response>): Soon<Response> {
  const outgoing = c.env?.outgoing;
  // members have limits of their own
  if (outgoing === undefined) return make();
  const who = principalText(c.get('principal'));
  let begun = false;
  let go = () => {};
  const leave = lists.turns.take(who, () => {
    begun = true;
    go();
  });
  if (leave === undefined)
    throw new DtkdError('TOO_MANY_REQUESTS', `${MAX_WAITING} lists wait for yours already`, { next: 'Try again in a moment.' });
  let end = begun ? passedOn(lists, who, leave) : leave;
  outgoing.once('close', () => end());
  if (begun) return make();
  // of who has gone meanwhile the turn never comes, and nobody waits for the answer
  const { promise, resolve } = Promise.withResolvers<void>();
  go = () => {
    end = passedOn(lists, who, leave);
    resolve();
  };
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
    const who = principalText(c.get('principal'));
    const leave = await lists.turns.wait(who, signal);
    const end = leave === undefined ? undefined : passedOn(lists, who, leave);
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

/** Lets another one have a turn that takes long, unless many took long already. Returns what ends it, whichever it is then. */
function passedOn({ slow }: Api['lists'], who: string, leave: () => void): () => void {
  let end = leave;
  const timer = setTimeout(() => {
    const beside = slow.take(who, () => {});
    if (beside === undefined) return;
    leave();
    end = beside;
  }, TURN_MS);
  timer.unref();
  return () => {
    clearTimeout(timer);
    end();
  };
}
