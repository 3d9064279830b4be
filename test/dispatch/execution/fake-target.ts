/** A target that speaks `/dtkd/dispatch`, does what a test says, and remembers what it was told. It can also lie. */
import type { Duplex } from 'node:stream';
import type { Member } from '../../../daemon/src/dispatch/dispatch.types.ts';
import { FrameReader } from '../../../daemon/src/streams/frame-reader.ts';
import { decodeCbor, encodeCbor } from '../../../protocol/encoding/cbor.ts';
import { encodeFrame } from '../../../protocol/encoding/frames.ts';
import {
  DISPATCH_PROTOCOL,
  type DispatchEvent,
  type DispatchRequest,
  dispatchGo,
  dispatchRequest,
  MAX_DISPATCH_FRAME_BYTES,
} from '../../../protocol/orders/messages.ts';
import { order as orderSchema, type PlanEntry, planEntry } from '../../../protocol/orders/order.ts';
import type { Part } from '../../../protocol/orders/outcome.ts';
import { executionIdOf } from '../../../protocol/orders/plan-tree.ts';
import type { OutputRecord } from '../../../protocol/orders/records.ts';
import type { FakeMembers } from '../fake-members.ts';

/** A record of output as it is spooled. */
export function record(text: string, more: Partial<OutputRecord> = {}): Uint8Array<ArrayBuffer> {
  const bytes = encodeCbor({ t: 1, s: 'out', n: 1, c: 'test', d: Uint8Array.from(Buffer.from(text)), ...more });
  const header = new Uint8Array(4);
  new DataView(header.buffer).setUint32(0, bytes.length);
  return Uint8Array.from(Buffer.concat([header, bytes]));
}

/** One part, as the test moves it on. */
export class FakePart {
  readonly id: string;
  readonly order: Uint8Array;
  readonly entry: PlanEntry;
  readonly user: string | undefined;
  part: Part;
  spool = Buffer.alloc(0);
  /** How often it was started. */
  starts = 0;
  private readonly listeners = new Set<() => void>();

  constructor(id: string, index: number, order: Uint8Array, entry: PlanEntry, user: string | undefined) {
    this.id = id;
    this.order = order;
    this.entry = entry;
    this.user = user;
    this.part = { index, node: entry.node, what: 'test', state: 'accepted' };
  }

  run(): void {
    this.starts += 1;
    this.become({ state: 'running', startedAt: Date.now() });
  }

  out(text: string): void {
    this.spool = Buffer.concat([this.spool, record(text)]);
    this.ring();
  }

  end(how: Partial<Part> = { outcome: 'succeeded', exitStatus: 0 }): void {
    this.become({ state: 'ended', endedAt: Date.now(), offset: this.spool.length, ...how });
  }

  become(change: Partial<Part>): void {
    this.part = { ...this.part, ...change };
    this.ring();
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private ring(): void {
    for (const listener of this.listeners) listener();
  }
}

export type Script = (part: FakePart, target: FakeTarget) => void | Promise<void>;
/** Answers in its place; true if it did. */
export type Lie = (request: DispatchRequest, send: (event: DispatchEvent) => void, stream: Duplex) => boolean | Promise<boolean>;

export class FakeTarget {
  readonly parts = new Map<string, FakePart>();
  readonly requests: DispatchRequest[] = [];
  /** What becomes of an order. */
  script: Script;
  lie: Lie | undefined;
  /** How often the word came on which a prepared order starts. */
  words = 0;
  /** Takes the place of starting it; true if it did. */
  onGo: ((order: Uint8Array, stream: Duplex) => boolean | Promise<boolean>) | undefined;
  /** Streams that are open. */
  readonly streams = new Set<Duplex>();

  constructor(members: FakeMembers, script: Script = succeed) {
    this.script = script;
    this.listen(members);
  }

  listen(members: FakeMembers): void {
    members.handle(DISPATCH_PROTOCOL, (stream, from) => {
      this.streams.add(stream);
      stream.once('close', () => this.streams.delete(stream));
      this.serve(stream, from).catch(() => stream.destroy());
    });
  }

  /** The only part that there is. */
  get only(): FakePart {
    const [part] = this.parts.values();
    if (part === undefined) throw new Error('no order has come');
    return part;
  }

  private async serve(stream: Duplex, _from: Member): Promise<void> {
    const reader = new FrameReader(stream, MAX_DISPATCH_FRAME_BYTES);
    const frame = await reader.next();
    if (frame === undefined) return;
    const request = decodeCbor(frame, dispatchRequest, 'a request');
    this.requests.push(request);
    const send = (event: DispatchEvent) => this.say(stream, event);
    if (await this.lie?.(request, send, stream)) return;
    if (request.type !== 'prepare') return this.answer(request, stream, send);
    send({ type: 'prepared' });
    const word = await reader.next().catch(() => undefined);
    if (word === undefined) return;
    decodeCbor(word, dispatchGo, 'the word');
    this.words += 1;
    if ((await this.onGo?.(request.order, stream)) !== true) await this.answer({ ...request, type: 'order', offset: 0 }, stream, send);
  }

  say(stream: Duplex, event: DispatchEvent): void {
    stream.write(encodeFrame(encodeCbor(event)));
  }

  private async answer(
    request: Exclude<DispatchRequest, { type: 'prepare' }>,
    stream: Duplex,
    send: (event: DispatchEvent) => void,
  ): Promise<void> {
    switch (request.type) {
      case 'order': {
        const part = this.take(request.order, request.user?.name);
        await this.tell(part, request.offset, true, stream, send);
        break;
      }
      case 'attach': {
        const part = this.parts.get(`${request.id} ${request.index}`);
        if (part === undefined) send({ type: 'error', code: 'NOT_FOUND', message: 'nothing is known of it' });
        else await this.tell(part, request.offset, request.follow, stream, send);
        break;
      }
      case 'abort':
        for (const part of this.parts.values()) {
          if (part.id !== request.id || (request.index !== undefined && part.part.index !== request.index)) continue;
          if (part.part.state !== 'ended') part.end({ outcome: 'failed', code: 'ABORTED', reason: 'aborted' });
          send({ type: 'part', id: part.id, part: part.part });
        }
        break;
      case 'find':
        for (const part of this.parts.values()) {
          if (part.id.startsWith(request.id)) send({ type: 'part', id: part.id, part: part.part, order: Uint8Array.from(part.order) });
        }
    }
    send({ type: 'end' });
    stream.end();
  }

  /** Takes an order once, and follows the script. */
  take(bytes: Uint8Array, user?: string): FakePart {
    const order = decodeCbor(bytes, orderSchema, 'an order');
    const id = executionIdOf(order.header);
    const key = `${id} ${order.index}`;
    const known = this.parts.get(key);
    if (known !== undefined) return known;
    const part = new FakePart(id, order.index, bytes, decodeCbor(order.entry, planEntry, 'an entry'), user);
    this.parts.set(key, part);
    void this.script(part, this);
    return part;
  }

  async tell(part: FakePart, from: number, follow: boolean, stream: Duplex, send: (event: DispatchEvent) => void): Promise<void> {
    let offset = from;
    let told: Part | undefined;
    for (;;) {
      const changed = Promise.withResolvers<void>();
      const forget = part.onChange(changed.resolve);
      const gone = () => changed.resolve();
      stream.once('close', gone);
      if (part.part !== told) send({ type: 'part', id: part.id, part: part.part });
      told = part.part;
      for (;;) {
        const records = recordsOf(part, offset);
        if (records.length === 0) break;
        send({ type: 'records', offset, records });
        offset += records.length;
      }
      if (!follow || told.state === 'ended' || stream.destroyed) return;
      await changed.promise;
      forget();
      stream.off('close', gone);
    }
  }
}

/** Whole records from an offset on, as many as fit into an event. */
export function recordsOf({ spool }: FakePart, offset: number): Uint8Array<ArrayBuffer> {
  let end = offset;
  while (end < spool.length) {
    const next = end + 4 + spool.readUInt32BE(end);
    if (next - offset > 200_000) break;
    end = next;
  }
  return Uint8Array.from(spool.subarray(offset, end));
}

export const succeed: Script = (part) => {
  part.run();
  part.out('hello\n');
  part.end();
};

export const fail: Script = (part) => {
  part.run();
  part.end({ outcome: 'failed', exitStatus: 3 });
};

/** Runs until the test ends it. */
export const hang: Script = (part) => part.run();
