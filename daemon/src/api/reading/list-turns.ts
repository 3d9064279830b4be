/**
 * Limits the lists that one client has made at the same time. Reading, checking and building a list is much more work than anything
 * else, so hundreds of them at once would delay everybody and fill the memory. Lists of one user wait for one another, for a
 * limited time each, and never for those of others.
 */
import { DtkdError } from '../../../../protocol/errors.ts';
import { principalText } from '../../../../protocol/rights/principal.ts';
import { Turns } from '../../counting/turns.ts';
import type { Soon } from '../flow/soon.ts';
import { allowRest } from '../listening/reader-patience.ts';
import type { Api, ApiContext } from '../request/request.ts';

const MAX_LISTS = 8;
const MAX_WAITING = 1024;
/**
 * After this many milliseconds a list is waiting for its client or for other nodes rather than for this one, so another list gets
 * its turn.
 */
const TURN_MS = 5_000;
/** Lists of one client that are sent beside those whose turn it is. Each keeps in memory what the client has not taken yet. */
const MAX_SLOW = 24;

/** Turns for lists, and places for those that take longer. */
export const newListTurns = (): Api['lists'] => ({
  turns: new Turns({ each: MAX_LISTS, waitingEach: MAX_WAITING }),
  slow: new Turns({ each: MAX_SLOW, waitingEach: 0 }),
});

/** Makes a list when it is the caller's turn, immediately if possible. The turn ends when the client has the list or has gone. */
export function inTurn({ lists }: Pick<Api, 'lists'>, c: ApiContext, make: () => Soon<Response>): Soon<Response> {
  const outgoing = c.env?.outgoing;
  // requests from members have limits of their own
  if (outgoing === undefined) return make();
  const who = principalText(c.get('principal'));
  let begun = false;
  let go = () => {};
  const leave = lists.turns.take(who, () => {
    begun = true;
    go();
  });
  if (leave === undefined)
    throw new DtkdError('TOO_MANY_REQUESTS', `${MAX_WAITING} of your lists are waiting already`, { next: 'Try again in a moment.' });
  let end = begun ? passedOn(lists, who, leave) : leave;
  outgoing.once('close', () => end());
  if (begun) return make();
  // if the client has gone meanwhile, its turn never comes, and nobody waits for the answer
  const { promise, resolve } = Promise.withResolvers<void>();
  go = () => {
    end = passedOn(lists, who, leave);
    resolve();
  };
  return promise.then(make);
}

/**
 * Yields something that begins with a list, as watches do. That part waits for its turn, and the client has to take it as it would
 * a list. `make` calls `told` at the end of it.
 */
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
    // the client has gone while it waited
    if (!signal.aborted) throw error;
  }
}

/**
 * Passes on a turn that takes long to the next list, unless too many are slow already. Returns a function that ends the turn or the
 * slow place, whichever it is by then.
 */
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
