/** Orders, cancellations and answers that are carried by hand between nodes without a connection. */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { Carrying, type CarryingOptions } from '../../../daemon/src/dispatch/carrying/carrying.ts';
import type { Holding } from '../../../daemon/src/dispatch/hold/hold.types.ts';
import { createHolding } from '../../../daemon/src/dispatch/hold/holding.ts';
import { cancellationBytes } from '../../../daemon/src/dispatch/hold/order-box.ts';
import type { PartHandle } from '../../../daemon/src/dispatch/target/target.types.ts';
import { FrameReader } from '../../../daemon/src/streams/frame-reader.ts';
import { decodeCbor, encodeCbor } from '../../../protocol/encoding/cbor.ts';
import { encodeFrame } from '../../../protocol/encoding/frames.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { type AnswerFrame, MAX_ANSWER_OUTPUT_BYTES } from '../../../protocol/orders/answer.ts';
import { CARRY_PROTOCOL, type CancelFrame, type OrderFrame } from '../../../protocol/orders/carry.ts';
import type { Part } from '../../../protocol/orders/outcome.ts';
import { executionIdOf } from '../../../protocol/orders/plan-tree.ts';
import { silentLogger } from '../../silent-logger.ts';
import { memoryKv } from '../../store/memory-kv.ts';
import { waitFor } from '../../wait.ts';
import { record } from '../execution/fake-target.ts';
import { domainId, FakeNetwork, keyOf } from '../fake-members.ts';

const site = domainId('site');
const never = new AbortController().signal;
const DAY = 24 * 3_600_000;

let network = new FakeNetwork();
let time = 1_700_000_000_000;
const stops: (() => Promise<void>)[] = [];

beforeEach(() => {
  network = new FakeNetwork();
  time = 1_700_000_000_000;
});
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

interface Island {
  name: string;
  at: { domain: string; self: string };
  holding: Holding;
  carrying: Carrying;
  /** Ids of orders that came to it as their target: those are started. */
  started: string[];
  /** What it did as a target, and what it wrote. */
  done: Map<string, { starter: string; part: Part; spool: Buffer }>;
  told: { id: string; target: string; outcome: Part['outcome']; records: number }[];
  /** Ids of executions whose answers it does not take now. */
  refused: Set<string>;
  /** Answers that it is given wait for this; and how many there were. */
  reading: { until: Promise<void>; count: number };
}

/** A node that is connected with nobody, unless a test says so. */
async function island(name: string, tellMs?: number): Promise<Island> {
  const members = network.node(name);
  const rows = memoryKv();
  const here: Pick<Island, 'started' | 'done' | 'told' | 'refused' | 'reading'> = {
    started: [],
    done: new Map(),
    told: [],
    refused: new Set(),
    reading: { until: Promise.resolve(), count: 0 },
  };
  const handleOf = (id: string): PartHandle | undefined => {
    const found = here.done.get(id);
    if (found === undefined) return undefined;
    return {
      id,
      index: found.part.index,
      part: () => found.part,
      read: async (offset, max) => whole(found.spool.subarray(offset), max),
      onChange: () => () => undefined,
      ended: Promise.resolve(found.part),
    };
  };
  const holding = createHolding({
    node: { name },
    members,
    rows,
    async accept({ member }, { order }) {
      const id = executionIdOf(headerOf(order));
      if (here.done.has(id)) return;
      here.started.push(id);
      here.done.set(id, {
        starter: member.key,
        part: { index: 0, node: name, what: 'test', state: 'ended', outcome: 'succeeded', exitStatus: 0, endedAt: time, offset: 0 },
        spool: Buffer.alloc(0),
      });
    },
    isTaken: async ({ id }) => here.done.has(id),
    async cancelled() {},
    isGone: () => false,
    logger: silentLogger,
    now: () => time,
  });
  const executions: CarryingOptions['executions'] = {
    async answered({ target }, { id }, { part, records }) {
      here.reading.count += 1;
      await here.reading.until;
      if (id === 'f'.repeat(64)) throw new DtkdError('NOT_FOUND', 'no such execution');
      if (here.refused.has(id)) throw new DtkdError('NOT_A_MEMBER', 'the node that answers is not a member known here');
      const known = here.told.some((one) => one.id === id && one.outcome !== 'unknown');
      if (!known) here.told.push({ id, target, outcome: part.outcome, records: records.length });
      return known ? 'known' : 'taken';
    },
  };
  const target: CarryingOptions['target'] = {
    known: async (id) => handleOf(id),
    async *ended() {
      for (const [id, { starter, part }] of here.done) yield { starter, id, index: 0, until: time + DAY, endedAt: part.endedAt ?? 0 };
    },
  };
  const carrying = new Carrying({ members, holding, target, executions, rows, logger: silentLogger, now: () => time, tellMs });
  await holding.start();
  await carrying.start();
  stops.push(
    () => holding.stop(),
    () => carrying.stop(),
  );
  return { name, at: { domain: site, self: keyOf(name, site) }, holding, carrying, ...here };
}

function headerOf(order: Uint8Array): Uint8Array {
  const start = Buffer.from(order).indexOf(Buffer.from('header')) + 'header'.length;
  return order.subarray(start + 1, start + 1 + 10);
}

/** Whole records from the beginning of a spool. */
function whole(spool: Buffer, max: number): Uint8Array {
  let end = 0;
  while (end + 4 <= spool.length && (end === 0 || end + 4 + spool.readUInt32BE(end) <= max)) end += 4 + spool.readUInt32BE(end);
  return Uint8Array.from(spool.subarray(0, end));
}

async function queue(from: Island, to: string): Promise<string> {
  const header = randomBytes(10);
  const id = executionIdOf(header);
  const order = encodeCbor({ header, entry: randomBytes(3), index: 0, proof: [] });
  const user = { name: 'ops', uid: '1' };
  await from.holding.deposit({ domain: site, target: keyOf(to, site), id, index: 0, notAfter: time + DAY, order: { user, order } });
  return id;
}

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const one of source) found.push(one);
  return found;
}

const ordersOf = (from: Island) => all(from.carrying.orders(from.at, never));
const answersOf = (from: Island) => all(from.carrying.answers(from.at, never));
const which = (target: string, id: string) => ({ domain: site, target: keyOf(target, site), id, index: 0 });

/** Three that cannot see one another. */
async function three(): Promise<[Island, Island, Island]> {
  const islands = [await island('s'), await island('m'), await island('t')] as [Island, Island, Island];
  for (const [a, b] of [
    ['s', 'm'],
    ['s', 't'],
    ['m', 't'],
  ] as const) {
    network.cut(a, b);
  }
  return islands;
}

describe('orders that are carried', () => {
  test('reach their target by way of a member that only carries, and are started once', async () => {
    const [s, m, t] = await three();
    const id = await queue(s, 't');
    const [order] = await ordersOf(s);
    expect(order).toMatchObject({ type: 'order', id, starter: s.at.self });
    expect(await m.carrying.takeOrder(m.at, order as OrderFrame)).toBe('taken');
    expect(await m.carrying.takeOrder(m.at, order as OrderFrame)).toBe('known');
    const [again] = await ordersOf(m);
    expect(again).toEqual(order);
    expect(await t.carrying.takeOrder(t.at, again as OrderFrame)).toBe('taken');
    expect(await t.carrying.takeOrder(t.at, order as OrderFrame)).toBe('known');
    expect(await s.carrying.takeOrder(s.at, order as OrderFrame)).toBe('known');
    expect(t.started).toEqual([id]);
  });

  test('cannot be made, changed or put on somebody’s account by whoever carries them', async () => {
    const [s, m, t] = await three();
    await queue(s, 't');
    const order = (await ordersOf(s))[0] as OrderFrame;
    const changes: Partial<OrderFrame>[] = [
      { notAfter: order.notAfter + 1 },
      { sealed: Uint8Array.from([...order.sealed.subarray(0, -1), 0, 1]) },
      { id: 'ab'.repeat(32) },
      { index: 1 },
      { target: m.at.self, starter: t.at.self },
      { signature: new Uint8Array(64) },
    ];
    for (const change of changes) {
      for (const one of [m, t]) {
        if (change.starter === one.at.self) continue;
        expect(await one.carrying.takeOrder(one.at, { ...order, ...change })).toMatchObject({ refused: { code: 'SIGNATURE_INVALID' } });
      }
    }
    expect(await m.carrying.takeOrder(m.at, { ...order, starter: 'ee'.repeat(32) })).toMatchObject({ refused: { code: 'NOT_A_MEMBER' } });
    time += 2 * DAY;
    expect(await m.carrying.takeOrder(m.at, order)).toMatchObject({ refused: { code: 'ORDER_EXPIRED' } });
    expect(t.started).toEqual([]);
  });

  test('are only certainly not started if they were never given out', async () => {
    const [s] = await three();
    const kept = await queue(s, 't');
    expect(s.holding.mayHaveDelivered(which('t', kept))).toBe(false);
    await ordersOf(s);
    expect(s.holding.mayHaveDelivered(which('t', kept))).toBe(true);
    expect((await s.holding.cancel(which('t', kept))).notReached).toEqual(['t']);
    const never = await queue(s, 't');
    expect((await s.holding.cancel(which('t', never))).notReached).toEqual([]);
  });

  test('are started once at most, and never after they were taken back, whatever comes in whatever order, however often', async () => {
    const [s, m, t] = await three();
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom('order', 'cancel', 'carrier'), { minLength: 1, maxLength: 8 }), async (arrivals) => {
        const id = await queue(s, 't');
        const order = (await ordersOf(s)).find((one) => one.id === id) as OrderFrame;
        await s.holding.cancel(which('t', id));
        const cancel = (await ordersOf(s)).find((one) => one.id === id) as CancelFrame;
        expect(cancel.type).toBe('cancel');
        let cancelled = false;
        let started = false;
        for (const arrival of arrivals) {
          if (arrival === 'carrier') {
            await m.carrying.takeOrder(m.at, order);
            const held = (await ordersOf(m)).find((one) => one.id === id);
            if (held !== undefined) await t.carrying.takeOrder(t.at, held);
          } else await t.carrying.takeOrder(t.at, arrival === 'order' ? order : cancel);
          cancelled ||= arrival === 'cancel';
          started ||= arrival !== 'cancel' && !cancelled;
          expect(t.started.filter((one) => one === id)).toHaveLength(started ? 1 : 0);
        }
        const answer = (await answersOf(t)).find((one) => one.id === id);
        expect(answer !== undefined).toBe(started || cancelled);
        if (answer === undefined) return;
        expect(await s.carrying.takeAnswer(s.at, answer)).toBe('taken');
        expect(s.told.at(-1)).toMatchObject({ id, outcome: started ? 'succeeded' : 'skipped' });
      }),
      { numRuns: 30 },
    );
  });

  test('stay taken back as long as their starter said, whoever brought that first', async () => {
    const [s, m, t] = await three();
    const id = await queue(s, 't');
    await ordersOf(s);
    await s.holding.cancel(which('t', id));
    const cancel = (await ordersOf(s))[0] as CancelFrame;
    for (const one of [m, t]) {
      await one.carrying.takeOrder(one.at, { ...cancel, notAfter: time + 1 });
      expect(await one.carrying.takeOrder(one.at, cancel)).toBe('taken');
      expect(await one.carrying.takeOrder(one.at, cancel)).toBe('known');
    }
    expect(t.holding.neverTaken(site, t.at.self)).toMatchObject([{ id, notAfter: cancel.notAfter }]);
    expect(await ordersOf(m)).toEqual([cancel]);
  });

  test('are asked of all members that can be reached, and given out once', async () => {
    const [s, m, t] = await three();
    network.heal('s', 'm');
    const id = await queue(s, 't');
    await waitFor(() => m.holding.counts().orders === 1, { what: 'm to hold it' });
    const fourth = await island('x');
    network.cut('x', 't');
    expect((await ordersOf(fourth)).map((one) => one.id)).toEqual([id]);
    expect(s.holding.mayHaveDelivered(which('t', id))).toBe(true);
    expect(t.started).toEqual([]);
  });
});

describe('members that are asked for what they have', () => {
  /** A member that says that it has these frames, asked before all others. */
  function says(name: string, frames: (what: string) => object[]): void {
    network.node(name).handle(CARRY_PROTOCOL, async (stream) => {
      stream.on('error', () => undefined);
      const asked = await new FrameReader(stream, 4096).next(60_000);
      const { what } = decodeCbor(asked ?? new Uint8Array(), z.object({ what: z.string() }), 'a request');
      for (const frame of [...frames(what), { type: 'end' }]) stream.write(encodeFrame(encodeCbor(frame)));
      stream.end();
    });
  }

  test('cannot put something else in the place of what others have', async () => {
    says('a', (what) => (what === 'orders' ? forged.orders : forged.answers));
    const forged: { orders: object[]; answers: object[] } = { orders: [], answers: [] };
    const [s, , t] = await three();
    network.cut('a', 's');
    network.cut('a', 't');
    const id = await queue(s, 't');
    const done = await queue(s, 't');
    const order = (await ordersOf(s)).find((one) => one.id === id) as OrderFrame;
    await t.carrying.takeOrder(t.at, (await ordersOf(s)).find((one) => one.id === done) as OrderFrame);
    const [answer] = await answersOf(t);
    if (answer === undefined) throw new Error('no answer');
    const x = await island('x');
    network.cut('x', 't');
    forged.orders.push({ ...order, sealed: Uint8Array.of(1) }, { ...order, type: 'cancel', sealed: undefined });
    forged.orders.push({ ...order, starter: 'ee'.repeat(32) });
    forged.answers.push({ ...answer, sealed: Uint8Array.of(1) });
    const held = (await ordersOf(x)).filter((one) => one.id === id);
    expect(held).toEqual([order]);
    network.heal('x', 't');
    network.cut('x', 's');
    const [told, ...rest] = await answersOf(x);
    expect([told?.id, rest]).toEqual([done, []]);
    expect(await s.carrying.takeAnswer(s.at, told as AnswerFrame)).toBe('taken');
  });

  test('cannot make a file too large', async () => {
    const [s] = await three();
    const mine = Array.from({ length: 4_200 }, (_, index) => signedCancel('a', 't', index % 2_000, `${index}`));
    says('a', (what) => (what === 'orders' ? mine : []));
    const found = await ordersOf(s);
    expect(found).toHaveLength(4_096);
  });

  test('do not hold up a file for ever, and keep nobody else from telling', async () => {
    let asked = 0;
    network.node('a').handle(CARRY_PROTOCOL, (stream) => {
      asked += 1;
      stream.on('error', () => undefined);
      const drip = setInterval(() => stream.write(encodeFrame(encodeCbor(signedCancel('a', 't', 0, `${performance.now()}`)))), 20);
      stream.once('close', () => clearInterval(drip));
    });
    const [s] = await three();
    const id = await queue(s, 't');
    const x = await island('x', 300);
    network.cut('x', 't');
    expect((await ordersOf(x)).some((one) => one.id === id)).toBe(true);
    expect(asked).toBe(1);
  });

  test('and gave up until their turn came are asked again', async () => {
    network.node('a').handle(CARRY_PROTOCOL, () => undefined);
    const frame = encodeFrame(encodeCbor(signedCancel('b', 't', 0, 'b')));
    let asked = 0;
    network.node('b').handle(CARRY_PROTOCOL, (stream) => {
      asked += 1;
      stream.on('error', () => undefined);
      if (asked === 1) stream.destroy();
      else stream.end(Buffer.concat([frame, encodeFrame(encodeCbor({ type: 'end' }))]));
    });
    const x = await island('x', 100);
    network.node('t');
    expect((await ordersOf(x)).map((one) => one.starter)).toEqual([keyOf('b', site)]);
    expect(asked).toBe(2);
  });

  function signedCancel(starter: string, target: string, index: number, seed: string): CancelFrame {
    const id = executionIdOf(Buffer.from(seed));
    const name = { starter: keyOf(starter, site), target: keyOf(target, site), id, index };
    const signature = network.node(starter).sign(site, 'order', cancellationBytes(name));
    return { type: 'cancel', ...name, notAfter: time + DAY, signature };
  }
});

describe('answers that are carried', () => {
  async function answered(): Promise<{ islands: [Island, Island, Island]; id: string; answer: AnswerFrame }> {
    const islands = await three();
    const [s, , t] = islands;
    const id = await queue(s, 't');
    await t.carrying.takeOrder(t.at, (await ordersOf(s))[0] as OrderFrame);
    const did = t.done.get(id);
    if (did !== undefined) {
      did.spool = Buffer.from(record('hello'));
      did.part = { ...did.part, offset: did.spool.length };
    }
    const [answer] = await answersOf(t);
    if (answer === undefined) throw new Error('no answer');
    return { islands, id, answer };
  }

  test('come back by way of a member that only carries, with the output, and let holders forget the order', async () => {
    const { islands, id, answer } = await answered();
    const [s, m] = islands;
    await m.carrying.takeOrder(m.at, (await ordersOf(s))[0] as OrderFrame);
    expect(m.holding.counts().orders).toBe(1);
    expect(await m.carrying.takeAnswer(m.at, answer)).toBe('taken');
    expect(await m.carrying.takeAnswer(m.at, answer)).toBe('known');
    expect(m.holding.counts().orders).toBe(0);
    const [carried] = await answersOf(m);
    expect(carried).toEqual(answer);
    expect(await s.carrying.takeAnswer(s.at, carried as AnswerFrame)).toBe('taken');
    expect(await s.carrying.takeAnswer(s.at, answer)).toBe('known');
    expect(s.told).toEqual([{ id, target: keyOf('t', site), outcome: 'succeeded', records: record('hello').length }]);
    expect(s.holding.counts().orders).toBe(0);
  });

  test('cannot be made or changed by others, and can be read by the starter alone', async () => {
    const { islands, answer } = await answered();
    const [s, m, t] = islands;
    const changes: Partial<AnswerFrame>[] = [
      { id: 'ab'.repeat(32) },
      { index: 1 },
      { until: answer.until + 1 },
      { final: false },
      { target: m.at.self },
      { sealed: Uint8Array.from([...answer.sealed.subarray(0, -1), 0, 1]) },
      { signature: new Uint8Array(64) },
    ];
    for (const change of changes) {
      for (const one of [s, m]) {
        if (change.target === one.at.self) continue;
        expect(await one.carrying.takeAnswer(one.at, { ...answer, ...change })).toMatchObject({ refused: { code: 'SIGNATURE_INVALID' } });
      }
    }
    expect(await m.carrying.takeAnswer(m.at, { ...answer, target: 'ee'.repeat(32) })).toMatchObject({ refused: { code: 'NOT_A_MEMBER' } });
    expect(Buffer.from(answer.sealed).includes('hello')).toBe(false);
    expect(await t.carrying.takeAnswer(t.at, answer)).toBe('known');
    expect(s.told).toEqual([]);
  });

  test('are brought to the starter by whoever took them out of a file', async () => {
    const { islands, id, answer } = await answered();
    const [s, m] = islands;
    await m.carrying.takeAnswer(m.at, answer);
    network.heal('s', 'm');
    await waitFor(() => s.told.length === 1, { what: 's to be told' });
    expect(s.told[0]?.id).toBe(id);
    await waitFor(async () => (await answersOf(m)).length === 0, { what: 'm to forget it' });
  });

  test('are brought also where the starter does not take another now', async () => {
    const { islands, id, answer } = await answered();
    const [s, m, t] = islands;
    const other = await queue(s, 't');
    for (const order of await ordersOf(s)) if (order.id === other) await t.carrying.takeOrder(t.at, order);
    const second = (await answersOf(t)).find((one) => one.id === other);
    s.refused.add(id);
    await m.carrying.takeAnswer(m.at, answer);
    await m.carrying.takeAnswer(m.at, second as AnswerFrame);
    network.heal('s', 'm');
    await waitFor(() => s.told.length === 1, { what: 's to be told of the other' });
    expect(s.told[0]?.id).toBe(other);
    await waitFor(async () => (await answersOf(m)).length === 1, { what: 'm to forget that one only' });
  });

  test('of what was found out are not forgotten with the one before, which is just being brought', async () => {
    const { islands, id, answer } = await answered();
    const [s, m, t] = islands;
    const did = t.done.get(id);
    if (did !== undefined) did.part = { ...did.part, outcome: 'unknown' };
    const [unknown] = await answersOf(t);
    await m.carrying.takeAnswer(m.at, unknown as AnswerFrame);
    const { promise, resolve } = Promise.withResolvers<void>();
    s.reading.until = promise;
    network.heal('s', 'm');
    await waitFor(() => s.reading.count === 1, { what: 's to read the first' });
    expect(await m.carrying.takeAnswer(m.at, answer)).toBe('taken');
    resolve();
    await waitFor(() => s.told.length === 2, { what: 's to be told of both' });
    expect(s.told.map(({ outcome }) => outcome)).toEqual(['unknown', 'succeeded']);
  });

  test('tell how all ended, also where there is more output than a member takes of one target', async () => {
    const [s, , t] = await three();
    const ids: string[] = [];
    for (let index = 0; index < 40; index++) ids.push(await queue(s, 't'));
    for (const order of await ordersOf(s)) await t.carrying.takeOrder(t.at, order);
    const spool = Buffer.concat(Array.from({ length: 10 }, () => record('x'.repeat(30_000))));
    for (const did of t.done.values()) Object.assign(did, { spool, part: { ...did.part, offset: spool.length } });
    const x = await island('x');
    network.cut('x', 's');
    const answers = await answersOf(x);
    expect(answers.map(({ id }) => id).sort()).toEqual(ids.sort());
    for (const answer of answers) expect(await s.carrying.takeAnswer(s.at, answer)).toBe('taken');
    const withOutput = s.told.filter(({ records }) => records > 0);
    expect(withOutput.length).toBeGreaterThan(10);
  });

  test('are not made for starters that can ask, and hold no more output than may be', async () => {
    const { islands, id } = await answered();
    const [s, , t] = islands;
    const did = t.done.get(id);
    if (did === undefined) throw new Error('it was not done');
    did.spool = Buffer.concat(Array.from({ length: 20 }, () => record('x'.repeat(30_000))));
    did.part = { ...did.part, offset: did.spool.length };
    const [large] = await answersOf(t);
    await s.carrying.takeAnswer(s.at, large as AnswerFrame);
    expect(s.told[0]?.records).toBeLessThanOrEqual(MAX_ANSWER_OUTPUT_BYTES);
    expect(s.told[0]?.records).toBeGreaterThan(MAX_ANSWER_OUTPUT_BYTES - 31_000);
    network.heal('s', 't');
    expect(await answersOf(t)).toEqual([]);
  });

  test('of what is unknown give way to what was found out, and quotas hold', async () => {
    const { islands, id, answer } = await answered();
    const [, m, t] = islands;
    const did = t.done.get(id);
    if (did !== undefined) did.part = { ...did.part, outcome: 'unknown' };
    const [unknown] = await answersOf(t);
    expect(unknown).toMatchObject({ final: false });
    expect(await m.carrying.takeAnswer(m.at, unknown as AnswerFrame)).toBe('taken');
    expect(await m.carrying.takeAnswer(m.at, answer)).toBe('taken');
    expect(await m.carrying.takeAnswer(m.at, unknown as AnswerFrame)).toBe('known');
    expect(await answersOf(m)).toEqual([answer]);
    time += 3 * DAY;
    expect(await m.carrying.takeAnswer(m.at, { ...answer })).toMatchObject({ refused: { code: 'ORDER_EXPIRED' } });
    expect(await answersOf(m)).toEqual([]);
  });
});
