/** This node as its own target: the same events as over a stream, without one. */
import { DtkdError } from '../../../../../protocol/errors.ts';
import { type DispatchEvent, type DispatchRequest, MAX_RECORDS_BYTES } from '../../../../../protocol/orders/messages.ts';
import type { Part } from '../../../../../protocol/orders/outcome.ts';
import type { Principal } from '../../../../../protocol/rights/principal.ts';
import type { PartHandle, PreparedOrder, Target } from '../../target/target.types.ts';
import { Bell } from '../bell.ts';
import type { NewConversation } from './conversation.ts';

export type LocalTarget = Pick<Target, 'accept' | 'prepare' | 'attach' | 'find' | 'abort'>;

export function localConversation(target: LocalTarget, principal: Principal): NewConversation {
  let events: AsyncGenerator<DispatchEvent> | undefined;
  let prepared: PreparedOrder | undefined;
  const closed = new AbortController();
  return {
    isOpen: () => true,
    async prepare({ order, bundle }) {
      prepared = await target.prepare({ type: 'self', principal }, { order, bundle });
      if (closed.signal.aborted) await prepared.leave();
    },
    async ask(request) {
      events = answer(target, principal, request, closed.signal, prepared);
    },
    async next() {
      const next = await events?.next();
      if (closed.signal.aborted) throw new DtkdError('PEER_AWAY', 'it was let go');
      return next === undefined || next.done === true ? undefined : next.value;
    },
    close: () => {
      closed.abort();
      void prepared?.leave();
    },
  };
}

async function* answer(
  target: LocalTarget,
  principal: Principal,
  request: DispatchRequest,
  signal: AbortSignal,
  prepared: PreparedOrder | undefined,
): AsyncGenerator<DispatchEvent> {
  try {
    switch (request.type) {
      case 'prepare':
        break;
      case 'order': {
        const { order, bundle, offset } = request;
        const handle = await (prepared?.go() ?? target.accept({ type: 'self', principal }, { order, bundle }));
        yield* eventsOf(handle, offset, true, signal);
        break;
      }
      case 'attach':
        yield* eventsOf(await target.attach(principal, request.id, request.index), request.offset, request.follow, signal);
        break;
      case 'abort':
        for (const part of await target.abort(principal, request.id, request.index)) yield { type: 'part', id: request.id, part };
        break;
      case 'find':
        for (const handle of await target.find(principal, request.id)) yield { type: 'part', id: handle.id, part: handle.part() };
        break;
    }
  } catch (error) {
    if (!(error instanceof DtkdError)) throw error;
    const { code, message, next } = error;
    yield { type: 'error', code, message: message.slice(0, 1_024), ...(next === undefined ? {} : { next: next.slice(0, 512) }) };
  }
  yield { type: 'end' };
}

/** A part's states and output, until it has ended and all has been reported. */
async function* eventsOf(handle: PartHandle, from: number, follow: boolean, signal: AbortSignal): AsyncGenerator<DispatchEvent> {
  const bell = new Bell();
  const forget = handle.onChange(() => bell.ring());
  signal.addEventListener('abort', bell.ring, { once: true });
  let told: Part | undefined;
  let offset = from;
  try {
    while (!signal.aborted) {
      const rung = bell.next();
      const part = handle.part();
      const ended = part.state === 'ended';
      // the end is reported after all output
      if (!ended && part !== told) yield { type: 'part', id: handle.id, part };
      for (;;) {
        const records = await handle.read(offset, MAX_RECORDS_BYTES);
        if (records.length === 0) break;
        yield { type: 'records', offset, records: Uint8Array.from(records) };
        offset += records.length;
      }
      if (ended) yield { type: 'part', id: handle.id, part };
      if (ended || !follow) return;
      told = part;
      await rung;
    }
  } finally {
    forget();
    signal.removeEventListener('abort', bell.ring);
  }
}
