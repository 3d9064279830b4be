import { DtkdError } from '../../../../protocol/errors.ts';
import { SELF, subjectText } from '../../../../protocol/rights/principal.ts';
import { iteratedBody } from '../flow/iterated-body.ts';
import { GIVEN_UP, linkSignals } from '../flow/linked-signal.ts';
import { allowRest } from '../listening/reader-patience.ts';
import { type Api, type ApiContext, answerText, bearerToken } from './request.ts';

/** Watches and streams of one user at once: nobody takes the room of all others. */
const MAX_PER_USER = 64;

/** Tells whoever passes an answer on that it goes on for as long as it likes. */
export const LINES_TYPE = 'application/json;stream=lines';

export interface LinesOptions {
  timeoutMs?: number | undefined;
  contentType?: string;
  may?: () => boolean;
  /** False: `make` says from when on the client may leave lines lying. */
  rests?: boolean;
}

/**
 * Answers with lines made of what `make` yields. Headers go out at once; the client's reading speed is the pace; the signal given to
 * `make` aborts when the client goes away, the server closes, the time is over, or who asks is known no more (`whileKnown`) or `may` not any more. `make` must
 * not throw.
 */
export function answerLines(
  api: Api,
  c: ApiContext,
  make: (signal: AbortSignal) => AsyncIterable<string>,
  { timeoutMs, contentType, may = () => true, rests = true }: LinesOptions = {},
): Response {
  const release = admit(api, c);
  if (rests) allowRest(c.env?.outgoing);
  const gone = new AbortController();
  const { signal, release: unlink } = linkSignals([gone.signal, api.closing]);
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => gone.abort(GIVEN_UP), timeoutMs);
  const forget = whileKnown(api, c, () => gone.abort(GIVEN_UP), may);
  let ended = false;
  const end = () => {
    if (ended) return;
    ended = true;
    clearTimeout(timer);
    forget();
    gone.abort(GIVEN_UP);
    unlink();
    release();
  };
  const lines = make(signal)[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  const body = iteratedBody(lines, (line) => encoder.encode(`${line}\n`), { end, ahead: 1 });
  return answerText(c, body, 200, contentType);
}

/**
 * Calls `gone` once whoever asks was deleted or bears a token that counts no more, or `may` not any more (asked after each change of rights). Returns what
 * ends this.
 */
export function whileKnown(api: Api, c: ApiContext, gone: () => void, may: () => boolean = () => true): () => void {
  const judge = () => {
    if (!isThere(api, c) || !may()) gone();
  };
  const forget = [api.views.onChange(judge), api.access.onTokenEnd(judge)];
  // they may have changed while the answer was made
  judge();
  return () => {
    for (const one of forget) one();
  };
}

/** False for a user of this node that was deleted: other nodes show it what it asks for on this one's word. Those of other nodes are theirs to end. */
function isThere({ access }: Api, c: ApiContext): boolean {
  const principal = c.get('principal');
  if (c.env?.remote === undefined && c.env?.own === undefined) return access.authenticate(bearerToken(c) ?? '') !== undefined;
  return principal.type === 'operator' || principal.home !== SELF || access.isPresent(principal);
}

/** Counts one more; returns what ends it. Throws if there are too many. */
function admit({ streams }: Api, c: ApiContext): () => void {
  const principal = c.get('principal');
  const user = principal.type === 'user' ? subjectText(principal) : undefined;
  const own = user === undefined ? 0 : (streams.ofUser.get(user) ?? 0);
  const left = streams.limit - streams.open;
  // what is left is a user's share: however many users want many, there is room for the next one, and for the operator
  if (left <= 0 || (user !== undefined && own >= Math.min(MAX_PER_USER, left))) {
    const whose = left > 0 ? `${own} watches and streams of this user` : `${streams.limit} watches and streams`;
    throw new DtkdError('TOO_MANY_REQUESTS', `${whose} are open here already`, { next: 'Close some, or try again later.' });
  }
  streams.open += 1;
  if (user !== undefined) streams.ofUser.set(user, own + 1);
  return () => {
    streams.open -= 1;
    if (user === undefined) return;
    const left = (streams.ofUser.get(user) ?? 1) - 1;
    if (left > 0) streams.ofUser.set(user, left);
    else streams.ofUser.delete(user);
  };
}
