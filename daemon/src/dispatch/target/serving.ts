/**
 * Answers requests of members by `/dtkd/dispatch`, each on a stream of its own: orders, following, ending, finding. The connection proves
 * which node asks, and the node says for which of its users. Guarantees bounded memory and streams whatever a member sends or does not
 * read: output waits in its spool. Decides nothing itself.
 */
import type { Duplex } from 'node:stream';
import { decodeCbor, encodeCbor } from '../../../../protocol/encoding/cbor.ts';
import { encodeFrame } from '../../../../protocol/encoding/frames.ts';
import { DtkdError } from '../../../../protocol/errors.ts';
import {
  DISPATCH_PROTOCOL,
  type DispatchEvent,
  type DispatchRequest,
  dispatchGo,
  dispatchRequest,
  MAX_DISPATCH_FRAME_BYTES,
  MAX_GO_BYTES,
  MAX_RECORDS_BYTES,
} from '../../../../protocol/orders/messages.ts';
import { MAX_ORDER_LIFETIME_MS } from '../../../../protocol/orders/order.ts';
import type { Part } from '../../../../protocol/orders/outcome.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';
import { Turns } from '../../counting/turns.ts';
import type { Logger } from '../../logging/logger.types.ts';
import { FrameReader } from '../../streams/frame-reader.ts';
import { endStream, writeFrames } from '../../streams/frame-writer.ts';
import type { DispatchAccess, Member, Members } from '../dispatch.types.ts';
import {
  FAREWELL_MS,
  KEEP_IDS_MS,
  MANY_STREAMS,
  MAX_FINDING_PER_PEER,
  MAX_FOUND,
  MAX_READING_PER_PEER,
  MAX_STREAMS,
  MAX_STREAMS_PER_PEER,
  READY_MS,
  RECORDS_BYTES_OF_MANY,
  REQUEST_MS,
  STALL_MS,
} from './limits.ts';
import type { OrderSource, PartHandle, PreparedOrder, StartedParts, Target } from './target.types.ts';

export interface DispatchServerOptions {
  target: Pick<Target, 'accept' | 'prepare' | 'attach' | 'find' | 'abort'>;
  started(): StartedParts | undefined;
  remoteUser: DispatchAccess['remoteUser'];
  restoredAt: Members['restoredAt'];
  now(): number;
  logger: Logger;
}

export interface DispatchServer {
  listen(members: Pick<Members, 'handle'>): void;
  close(): void;
}

/** One step of an answer. Returns the next step, which needs nothing of the request any more, so that the request's bytes can be freed. */
type Answer = () => Promise<Answer | undefined>;

type Question = Exclude<DispatchRequest, { type: 'order' | 'prepare' }>;

/** What all streams of a server share. */
interface Shared extends DispatchServerOptions {
  reading: Turns;
  finding: Turns;
  /** The most bytes of output that one stream may have in flight. */
  records(): number;
}

export function createDispatchServer(options: DispatchServerOptions): DispatchServer {
  const open = new Set<Duplex>();
  const places = new Turns({ each: MAX_STREAMS_PER_PEER, all: MAX_STREAMS, sharing: true, waitingEach: 0 });
  const shared: Shared = {
    ...options,
    reading: new Turns({ each: MAX_READING_PER_PEER }),
    finding: new Turns({ each: MAX_FINDING_PER_PEER }),
    records: () => (open.size > MANY_STREAMS ? RECORDS_BYTES_OF_MANY : MAX_RECORDS_BYTES),
  };
  let closed = false;

  function serve(stream: Duplex, from: Member): void {
    // errors while nobody waits have no other listener
    stream.on('error', () => undefined);
    const leave = closed ? undefined : places.take(peerText(from), () => {});
    if (leave === undefined) {
      void refuse(
        stream,
        new DtkdError('TOO_MANY_REQUESTS', 'this node serves too many streams already', { next: 'Try again in a moment.' }),
      );
      return;
    }
    open.add(stream);
    stream.once('close', () => {
      open.delete(stream);
      leave();
    });
    void answerOn(stream, from, shared);
  }

  return {
    listen: (members) => members.handle(DISPATCH_PROTOCOL, serve),
    close() {
      closed = true;
      for (const stream of [...open]) stream.destroy(new DtkdError('UNAVAILABLE', 'the daemon is stopping'));
    },
  };
}

async function answerOn(stream: Duplex, from: Member, options: Shared): Promise<void> {
  try {
    let answer: Answer | undefined = await inTurn(options.reading, from, () => received(stream, from, options));
    while (answer !== undefined) answer = await answer();
    await endStream(stream, STALL_MS);
    farewell(stream);
  } catch (error) {
    if (!(error instanceof DtkdError)) options.logger.warn({ err: error, peer: from.key }, 'A request of a member failed');
    else options.logger.debug({ err: error, peer: from.key }, 'A request of a member was not answered');
    await refuse(stream, error);
  }
}

/** Reads a request, and accepts an order. Returns the answer, which can last as long as a command and keeps no bytes of the request. */
async function received(stream: Duplex, from: Member, options: Shared): Promise<Answer> {
  const reader = new FrameReader(stream, MAX_DISPATCH_FRAME_BYTES);
  const frame = await reader.next(REQUEST_MS);
  if (frame === undefined) throw new DtkdError('FRAME_INVALID', 'the stream ended before a request');
  const request = decodeCbor(frame, dispatchRequest, 'a request');
  if (request.type !== 'order' && request.type !== 'prepare') return answerTo(stream, request, from, options);
  const { user, order, bundle } = request;
  const source: OrderSource = { type: 'member', member: from, user };
  if (request.type === 'prepare') return starterOf(stream, reader, await options.target.prepare(source, { order, bundle }), options);
  return tellerOf(stream, await options.target.accept(source, { order, bundle }), request.offset, options);
}

/** Waits for the word to start. */
function starterOf(stream: Duplex, reader: FrameReader, prepared: PreparedOrder, shared: Shared): Answer {
  return async () => {
    try {
      reader.limit(MAX_GO_BYTES);
      await send(stream, [{ type: 'prepared' }]);
      const frame = await reader.next(READY_MS);
      if (frame === undefined) throw new DtkdError('UNAVAILABLE', 'the stream ended before the order was to start');
      decodeCbor(frame, dispatchGo, 'the word to start');
    } catch (error) {
      await prepared.leave();
      // one who says the word too late has to bring the order
      throw error instanceof DtkdError && error.code === 'TIMEOUT'
        ? new DtkdError('UNAVAILABLE', 'the order was not started in time, and has to be sent again')
        : error;
    }
    return tellerOf(stream, await prepared.go(), 0, shared);
  };
}

function tellerOf(stream: Duplex, handle: PartHandle, from: number, shared: Shared): Answer {
  return () => tell(stream, handle, { from, follow: true }, shared);
}

function answerTo(stream: Duplex, request: Question, from: Member, options: Shared): Answer {
  return () => answer(stream, request, from, options);
}

async function answer(stream: Duplex, request: Question, from: Member, options: Shared): Promise<undefined> {
  const { target, started, remoteUser } = options;
  const { user } = request;
  if (user === undefined) {
    throw new DtkdError('FORBIDDEN', `the operator of ${from.node} has no rights here`, {
      next: `Make a user on ${from.node} and ask as that user.`,
    });
  }
  const principal = remoteUser({ peerKey: from.key, namespace: from.node }, user);
  switch (request.type) {
    case 'attach':
      return tell(stream, await attach(principal, request, options), { from: request.offset, follow: request.follow }, options);
    case 'abort': {
      const parts = await abort(principal, request, target, started());
      return send(stream, [...parts.map((part): DispatchEvent => ({ type: 'part', id: request.id, part })), END]);
    }
    case 'find':
      return inTurn(options.finding, from, () => find(stream, principal, request.id, target, started()));
  }
}

/** Runs something at the member's turn; others wait. */
async function inTurn<T>(turns: Turns, from: Member, run: () => Promise<T>): Promise<T> {
  const end = await turns.wait(peerText(from));
  try {
    return await run();
  } finally {
    end?.();
  }
}

const peerText = ({ domain, key }: Member): string => `${domain} ${key}`;

const END: DispatchEvent = { type: 'end' };

async function attach(
  principal: Principal,
  { id, index }: { id: string; index: number },
  options: DispatchServerOptions,
): Promise<PartHandle> {
  try {
    return await options.target.attach(principal, id, index);
  } catch (error) {
    const started = options.started();
    if (!(error instanceof DtkdError) || error.code !== 'NOT_FOUND') throw error;
    return started === undefined
      ? unknownHere(error, options)
      : started.attach(principal, id, index).catch((other) => unknownHere(other, options));
  }
}

/**
 * Throws the error; or UNAVAILABLE if this node was restored from an older state so recently that the order may have run in the time that
 * was lost. A starter would take NOT_FOUND as proof that it never did.
 */
function unknownHere(error: unknown, { restoredAt, now }: Pick<DispatchServerOptions, 'restoredAt' | 'now'>): never {
  const restored = restoredAt();
  const isLost = restored !== undefined && now() - restored < MAX_ORDER_LIFETIME_MS + KEEP_IDS_MS;
  if (!isLost || !(error instanceof DtkdError) || error.code !== 'NOT_FOUND') throw error;
  throw new DtkdError('UNAVAILABLE', 'this node was restored from an older state, and does not know what it did since', {
    next: 'Check on that node what it did.',
  });
}

/** Ends what this node runs and, if it is the starter, its parts elsewhere. */
async function abort(
  principal: Principal,
  { id, index }: { id: string; index?: number | undefined },
  target: DispatchServerOptions['target'],
  started: StartedParts | undefined,
): Promise<Part[]> {
  let unknown: DtkdError | undefined;
  const unlessUnknown = (error: unknown): Part[] => {
    if (!(error instanceof DtkdError) || error.code !== 'NOT_FOUND') throw error;
    unknown ??= error;
    return [];
  };
  const asStarter = await started?.abort?.(principal, id, index).catch(unlessUnknown);
  const asTarget = await target.abort(principal, id, index).catch(unlessUnknown);
  const parts = [...asTarget, ...(asStarter ?? [])];
  if (parts.length === 0 && unknown !== undefined) throw unknown;
  return parts;
}

/**
 * Sends a part, its changes, and its output from an offset on, no faster than it is read. With `follow`, until it has ended and all was
 * sent.
 */
async function tell(
  stream: Duplex,
  handle: PartHandle,
  { from, follow }: { from: number; follow: boolean },
  { records: recordsBytes }: Pick<Shared, 'records'>,
): Promise<undefined> {
  let offset = from;
  let told: string | undefined;
  let changed = Promise.withResolvers<void>();
  const wake = () => changed.resolve();
  const forget = handle.onChange(wake);
  stream.once('close', wake);
  try {
    for (;;) {
      changed = Promise.withResolvers<void>();
      const part = handle.part();
      const over = part.state === 'ended' || !follow;
      const events: DispatchEvent[] = [];
      const state = stateText(part);
      if (state !== told) events.push({ type: 'part', id: handle.id, part });
      told = state;
      const records = await handle.read(offset, recordsBytes());
      if (records.length > 0) events.push({ type: 'records', offset, records: Uint8Array.from(records) });
      offset += records.length;
      const all = records.length === 0 || (part.state === 'ended' && offset >= (part.offset ?? 0));
      if (over && all) events.push(END);
      if (events.length > 0) await send(stream, events);
      if (over && all) return;
      if (stream.destroyed) return;
      if (records.length === 0) await changed.promise;
    }
  } finally {
    forget();
    stream.off('close', wake);
  }
}

/** The fields whose changes are sent. The amount of output is not one of them. */
function stateText({ state, outcome, startedAt, endedAt, reason, paused, holders }: Part): string {
  return JSON.stringify([state, outcome, startedAt, endedAt, reason, paused, holders]);
}

/** Sends what this node did as a target, with the orders that prove it, and what it knows as a starter. */
async function find(
  stream: Duplex,
  principal: Principal,
  idStart: string,
  target: DispatchServerOptions['target'],
  started: StartedParts | undefined,
): Promise<undefined> {
  const own = await target.find(principal, idStart);
  const known = await started?.find(principal, idStart).catch(() => undefined);
  const events: DispatchEvent[] = [
    ...own.map(
      (handle): DispatchEvent => ({
        type: 'part',
        id: handle.id,
        part: handle.part(),
        ...(handle.order === undefined ? {} : { order: Uint8Array.from(handle.order) }),
      }),
    ),
    ...(known?.handles ?? []).map(
      (handle): DispatchEvent => ({
        type: 'part',
        id: handle.id,
        part: handle.part(),
        ...(handle.order === undefined ? { header: Uint8Array.from(known?.header ?? []) } : { order: Uint8Array.from(handle.order) }),
      }),
    ),
  ].slice(0, MAX_FOUND);
  for (const event of events) await send(stream, [event]);
  await send(stream, [END]);
}

async function send(stream: Duplex, events: readonly DispatchEvent[]): Promise<undefined> {
  await writeFrames(
    stream,
    events.map((event) => encodeFrame(encodeCbor(event))),
    STALL_MS,
  );
}

async function refuse(stream: Duplex, error: unknown): Promise<void> {
  if (stream.destroyed) return;
  const { code, message, next } = error instanceof DtkdError ? error : new DtkdError('INTERNAL', 'something went wrong');
  try {
    await send(stream, [
      { type: 'error', code, message: message.slice(0, 1_024), ...(next === undefined ? {} : { next: next.slice(0, 512) }) },
      END,
    ]);
    await endStream(stream, FAREWELL_MS);
    farewell(stream);
  } catch {
    stream.destroy();
  }
}

/** Gives the other side a moment to end the stream; what it still sends is discarded. */
function farewell(stream: Duplex): void {
  if (stream.destroyed) return;
  const timer = setTimeout(() => stream.destroy(), FAREWELL_MS);
  timer.unref();
  stream.once('close', () => clearTimeout(timer));
  stream.resume();
}
