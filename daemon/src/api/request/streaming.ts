import { DtkdError } from '../../../../protocol/errors.ts';
import { SELF, subjectText } from '../../../../protocol/rights/principal.ts';
import { iteratedBody } from '../flow/iterated-body.ts';
import { GIVEN_UP, linkSignals } from '../flow/linked-signal.ts';
import { allowRest } from '../listening/reader-patience.ts';
import { type Api, type ApiContext, answerText, bearerToken } from './request.ts';

/** Maximum number of open watches and streams per user, so that no user takes the room of all others. */
const MAX_PER_USER = 64;

/** Tells those who forward an answer that it goes on for as long as it likes. */
export const LINES_TYPE = 'application/json;stream=lines';

export interface LinesOptions {
  timeoutMs?: number | undefined;
  contentType?: string;
  may?: () => boolean;
  /** False: `make` decides from when on the client may leave lines unread. */
  rests?: boolean;
}

/**
 * Answers with one line for each text that `make` yields. Headers are sent at once, and the client's reading speed sets the pace.
 * The signal passed to `make` aborts when the client goes away, the server closes, the time is over, the caller is no longer known
 * (`whileKnown`), or `may` becomes false. `make` must not throw.
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
 * Calls `gone` once the caller was deleted or its token ended, or once `may` becomes false. Checks at once, after each change of
 * rights and when a token ends. Returns a function that stops this.
 */
export function whileKnown(api: Api, c: ApiContext, gone: () => void, may: () => boolean = () => true): () => void {
  const judge = () => {
    if (!isThere(api, c) || !may()) gone();
  };
  const forget = [api.views.onChange(judge), api.access.onTokenEnd(judge)];
  // rights may have changed while the answer was made
  judge();
  return () => {
    for (const one of forget) one();
  };
}

/**
 * False if the caller's token no longer counts, or if the caller is a user of this node that was deleted. This is checked here
 * because other nodes rely on this node's word about its users. For users of another node, that node does it.
 */
function isThere({ access }: Api, c: ApiContext): boolean {
  const principal = c.get('principal');
  if (c.env?.remote === undefined && c.env?.own === undefined) return access.authenticate(bearerToken(c) ?? '') !== undefined;
  return principal.type === 'operator' || principal.home !== SELF || access.isPresent(principal);
}

/** Counts one more stream; returns a function that ends it. Throws if there are too many. */
function admit({ streams }: Api, c: ApiContext): () => void {
  const principal = c.get('principal');
  const user = principal.type === 'user' ? subjectText(principal) : undefined;
  const own = user === undefined ? 0 : (streams.ofUser.get(user) ?? 0);
  const left = streams.limit - streams.open;
  // a user may have no more than what is left: however many users want many, there is room for the next one, and for the operator
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
