/** Runs subresources of objects and daemon-wide actions: they take a JSON body, and return a JSON value or a stream of JSON lines. */
import { isRecord } from '../../../../protocol/encoding/json.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import type { Kind } from '../../../../protocol/kinds/kind.ts';
import type { ApiObject } from '../../../../protocol/objects/objects.ts';
import type { CapabilityVerb } from '../../../../protocol/rights/capability.ts';
import { displayOf } from '../../../../protocol/rights/principal.ts';
import { begin, may, mustGet, permit } from '../deciding/deciding.ts';
import { assertWritableHere } from '../deciding/ownership.ts';
import { DAEMON_GROUP } from '../discovery/discovery.ts';
import { GIVEN_UP, linkSignals } from '../flow/linked-signal.ts';
import { forward } from '../forwarding/forwarding.ts';
import type { Action, ActionRequest } from '../handlers.types.ts';
import { assertJson } from '../request/media.ts';
import { type Api, type ApiContext, answerJson, assertNoTrial, readJson, refOfTarget, type Target, targetOf } from '../request/request.ts';
import { statusOf, success } from '../request/status.ts';
import { answerLines, LINES_TYPE } from '../request/streaming.ts';
import { isRemote } from '../views/visibility.ts';

const METHODS = ['GET', 'POST', 'DELETE'] as const;
/** Maximum number of path segments below a subresource, and of characters in each. */
const MAX_SEGMENTS = 8;
const MAX_SEGMENT = 512;

export async function objectAction(api: Api, c: ApiContext, kind: Kind): Promise<Response> {
  const target = targetOf(api, c, kind);
  const [subresource = '', ...rest] = segmentsOf(c.req.param('rest') ?? '');
  begin(c, `${c.req.method} ${subresource.slice(0, 80)}`, target);
  assertNoTrial(c, `"${subresource.slice(0, 80)}" of ${kind.plural}`);
  const elsewhere = await forward(api, c, target, 'any');
  if (elsewhere !== undefined) return elsewhere;
  const action = api.extensions.subresources.get(`${kind.group}/${kind.plural}/${subresource}`);
  if (action === undefined) {
    const known = [...api.extensions.subresources.keys()].filter((key) => key.startsWith(`${kind.group}/${kind.plural}/`));
    throw new DtkdError('NOT_FOUND', `${kind.plural} have no subresource "${subresource.slice(0, 80)}"`, {
      next: known.length === 0 ? 'They have none.' : `They have ${known.map((key) => key.split('/').at(-1)).join(', ')}.`,
    });
  }
  assertWritableHere(api, target);
  if (isRemote(c.get('principal')) && action.verb === undefined) throw localOnly(c, `${kind.plural}/${subresource}`);
  const verb = action.verb ?? 'MANAGE';
  const find = () =>
    decided(api, c, target, verb).catch((error) => {
      // the same answer for a hidden object and a missing one
      if (action.makes === true && error instanceof DtkdError && error.code === 'NOT_FOUND')
        throw operatorsOnly(api, c, subresource, kind.plural);
      throw error;
    });
  // callers without the right are refused before the body is read
  await find();
  return run(api, c, action, target, rest, { find, may: (object) => may(api, c, verb, target, object) });
}

/** The object of a subresource, if the caller may use it. Some subresources work before their object exists, for the operator alone. */
async function decided(api: Api, c: ApiContext, target: Target, verb: CapabilityVerb): Promise<ApiObject | undefined> {
  if (c.get('principal').type === 'operator') {
    c.get('note').because = 'the operator of this node';
    return api.store.get(refOfTarget(target));
  }
  const object = await mustGet(api, c, target);
  permit(api, c, verb, target, object);
  return object;
}

export async function daemonAction(api: Api, c: ApiContext): Promise<Response> {
  const [name = '', ...rest] = segmentsOf(c.req.param('rest') ?? '');
  c.set('about', { group: DAEMON_GROUP, kind: 'daemon', name });
  const action = api.extensions.actions.get(name);
  if (action === undefined) {
    throw new DtkdError('NOT_FOUND', `the daemon has no action "${name.slice(0, 80)}"`, {
      next: `It has ${[...api.extensions.actions.keys()].join(', ')}.`,
    });
  }
  const target = { kind: { group: DAEMON_GROUP, plural: 'daemon' }, namespace: '', name };
  begin(c, `${c.req.method} ${name}`, target);
  assertNoTrial(c, `"${name}"`);
  assertOpen(api, c, name, action.open);
  return run(api, c, action, target, rest);
}

function assertOpen(api: Api, c: ApiContext, name: string, open: Action['open']): void {
  const principal = c.get('principal');
  const note = c.get('note');
  if (principal.type === 'operator') {
    note.because = 'the operator of this node';
    return;
  }
  note.because = 'open to users';
  if (open === 'anybody' || (open === 'user' && !isRemote(principal))) return;
  if (open === 'user') throw localOnly(c, name);
  throw operatorsOnly(api, c, name);
}

function operatorsOnly(api: Api, c: ApiContext, what: string, plural?: string): DtkdError {
  const reason = `"${what}" of ${plural === undefined ? '' : `${plural} on `}${api.node.name} is for its operator, not for ${displayOf(c.get('principal'))}`;
  c.get('note').because = reason;
  return new DtkdError('FORBIDDEN', reason, { next: `Ask the operator of ${api.node.name} to do it.` });
}

function localOnly(c: ApiContext, what: string): DtkdError {
  const reason = `"${what}" is for users of this node only`;
  c.get('note').because = reason;
  return new DtkdError('FORBIDDEN', reason, { next: 'Send the request to that node, with a token of that node.' });
}

/** Finds the object of a subresource if the caller may use it, and tells whether it still may. */
interface Guard {
  find(): Promise<ApiObject | undefined>;
  may(object: ApiObject): boolean;
}

async function run(
  api: Api,
  c: ApiContext,
  action: Action,
  target: { namespace: string; name: string },
  rest: readonly string[],
  guard?: Guard,
): Promise<Response> {
  const method = METHODS.find((known) => known === c.req.method);
  if (method === undefined)
    throw new DtkdError('METHOD_NOT_ALLOWED', `${c.req.method} is not allowed here`, { next: 'Use GET, POST or DELETE.' });
  assertJson(c.req.header('content-type'));
  const body = await readJson(c, action.maxBodyBytes);
  // a body may take time to arrive: rights and object are checked again after it
  const object = await guard?.find();
  const gone = new AbortController();
  const linked = linkSignals([gone.signal, c.req.raw.signal, api.closing]);
  const end = () => {
    gone.abort(GIVEN_UP);
    linked.release();
  };
  const request: ActionRequest = {
    principal: c.get('principal'),
    namespace: target.namespace,
    name: target.name,
    rest,
    method,
    query: new URL(c.req.url).searchParams,
    body,
    ...(object === undefined ? {} : { object }),
    signal: linked.signal,
  };
  let stream: AsyncIterable<unknown> | undefined;
  try {
    const result = await action(request);
    stream = streamOf(result);
    if (stream === undefined) return answerJson(c, result ?? success(c.get('about')));
  } finally {
    if (stream === undefined) linked.release();
  }
  const source = stream;
  try {
    return answerLines(api, c, (signal) => lines(api, c, source, signal, end), {
      contentType: LINES_TYPE,
      may: () => object === undefined || guard?.may(object) !== false,
    });
  } catch (error) {
    end();
    await source[Symbol.asyncIterator]().return?.();
    throw error;
  }
}

function streamOf(result: unknown): AsyncIterable<unknown> | undefined {
  return isRecord(result) && isAsyncIterable(result['stream']) ? result['stream'] : undefined;
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

/** Maximum number of characters of lines that are sent together. */
const MAX_TOGETHER = 64 * 1024;

/**
 * The lines of an action's stream. Lines that come in one turn of the event loop are sent together, since each write wakes the
 * client. Ends when the client has gone, even if the stream ignores its signal.
 */
async function* lines(
  api: Api,
  c: ApiContext,
  stream: AsyncIterable<unknown>,
  signal: AbortSignal,
  release: () => void,
): AsyncGenerator<string> {
  const ended = Promise.withResolvers<IteratorResult<unknown>>();
  const end = () => {
    release();
    ended.resolve({ done: true, value: undefined });
  };
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  const source = stream[Symbol.asyncIterator]();
  try {
    for (let coming = source.next(); ; ) {
      const next = await Promise.race([coming, ended.promise]);
      if (next.done === true) return;
      let text = JSON.stringify(next.value);
      for (const turn = nextTurn(); ; ) {
        coming = source.next();
        if (text.length >= MAX_TOGETHER) break;
        const more = await Promise.race([coming.catch(() => undefined), turn]);
        if (more === undefined || more.done === true) break;
        text += `\n${JSON.stringify(more.value)}`;
      }
      yield text;
    }
  } catch (error) {
    yield JSON.stringify(statusOf(error, c.get('about'), (unexpected) => api.logger.error({ err: unexpected }, 'A stream failed')));
  } finally {
    signal.removeEventListener('abort', end);
    release();
    Promise.resolve(source.return?.()).catch((error: unknown) => api.logger.debug({ err: error }, 'A stream did not end cleanly'));
  }
}

function nextTurn(): Promise<undefined> {
  return new Promise((resolve) => setImmediate(resolve, undefined));
}

function segmentsOf(rest: string): string[] {
  const segments = rest.split('/').filter((segment) => segment !== '');
  if (segments.length > MAX_SEGMENTS || segments.some((segment) => segment.length > MAX_SEGMENT)) {
    throw new DtkdError('NOT_FOUND', 'there is no such path');
  }
  return segments;
}
