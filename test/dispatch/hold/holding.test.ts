import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { askHold } from '../../../daemon/src/dispatch/hold/asking.ts';
import type { Delivery, Holding } from '../../../daemon/src/dispatch/hold/hold.types.ts';
import { createHolding } from '../../../daemon/src/dispatch/hold/holding.ts';
import type { Kv } from '../../../daemon/src/store/kv.ts';
import { encodeCbor } from '../../../protocol/encoding/cbor.ts';
import { encodeFrame } from '../../../protocol/encoding/frames.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { seal } from '../../../protocol/keys/sealing.ts';
import { hashHex } from '../../../protocol/keys/signing.ts';
import { type BundleAt, HOLD_PROTOCOL, type HoldAnswer, type HoldRequest, MAX_SEALED_BYTES } from '../../../protocol/orders/hold.ts';
import { executionIdOf } from '../../../protocol/orders/plan-tree.ts';
import { silentLogger } from '../../silent-logger.ts';
import { memoryKv } from '../../store/memory-kv.ts';
import { waitFor } from '../../wait.ts';
import { domainId, FakeNetwork, keyOf, signingKey } from '../fake-members.ts';

const site = domainId('site');
const DAY = 24 * 3_600_000;

interface Taken {
  starter: string;
  user: string | undefined;
  order: Uint8Array;
  bundle: Uint8Array | undefined;
  bundleAt?: BundleAt | undefined;
}

/** A node with holding, and what it took as a target. */
interface Site {
  holding: Holding;
  rows: Kv;
  taken: Taken[];
  cancelled: string[];
  /** The nodes that bundles are kept for, and until when. */
  offered: { key: string; until: number }[];
  deliveries: Delivery[];
  /** What `accept` waits for. */
  gate: Promise<void> | undefined;
  /** What it throws. */
  refusal: DtkdError | undefined;
}

let network = new FakeNetwork();
let time = 1_700_000_000_000;
/** Keys of members that were removed. */
const gone = new Set<string>();
const running: Holding[] = [];

beforeEach(() => {
  network = new FakeNetwork();
  time = 1_700_000_000_000;
  gone.clear();
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((holding) => holding.stop()));
});

async function nodeWith(name: string, rows: Kv = memoryKv()): Promise<Site> {
  const here: Omit<Site, 'holding'> = { rows, taken: [], cancelled: [], offered: [], deliveries: [], gate: undefined, refusal: undefined };
  const holding = createHolding({
    node: { name },
    members: network.node(name),
    rows,
    async accept({ member, user }, { order, bundle, bundleAt }) {
      await node.gate;
      if (node.refusal !== undefined) throw node.refusal;
      const plain = bundle === undefined ? undefined : Uint8Array.from(bundle);
      node.taken.push({ starter: member.node, user: user?.name, order: Uint8Array.from(order), bundle: plain, bundleAt });
    },
    async offer(bundle, to, until) {
      node.offered.push({ key: to.key, until });
      return { digest: hashHex(bundle), size: bundle.length };
    },
    async cancelled(from, { id, index }) {
      node.cancelled.push(`${from.node} ${id} ${index}`);
    },
    isGone: (member) => gone.has(member),
    logger: silentLogger,
    now: () => time,
  });
  const node: Site = Object.assign(here, { holding });
  holding.onDelivery((delivery) => node.deliveries.push(delivery));
  await holding.start();
  running.push(holding);
  return node;
}

/** Bytes that are an order as far as holding looks into it. */
function orderOf(index = 0, size = 10) {
  const header = randomBytes(size);
  return { id: executionIdOf(header), index, order: encodeCbor({ header, entry: randomBytes(3), index, proof: [] }) };
}

function deposit(holding: Holding, target: string, { id, index, order }: ReturnType<typeof orderOf>, more: { bundle?: Uint8Array } = {}) {
  const user = { name: 'ops', uid: '1' };
  return holding.deposit({ domain: site, target: keyOf(target, site), id, index, notAfter: time + DAY, order: { user, order, ...more } });
}

/** An order of `s` for `t`, which is away, held by `h` and by `s` itself. */
async function held() {
  const s = await nodeWith('s');
  const h = await nodeWith('h');
  network.node('t');
  network.stop('t');
  const order = orderOf();
  await deposit(s.holding, 't', order);
  return { s, h, order };
}

const rowsOf = async ({ rows }: Site) => (await rows.page({ gte: 'h/', lt: 'h0' })).map(([key]) => key);
const which = (target: string, { id, index }: { id: string; index: number }) => ({ domain: site, target: keyOf(target, site), id, index });

describe('orders for a member that is away', () => {
  test('are held by others and by the starter, and delivered when the target comes back, with the user and the bundle', async () => {
    const s = await nodeWith('s');
    const holders = [await nodeWith('h1'), await nodeWith('h2')];
    const t = await nodeWith('t');
    network.stop('t');
    const order = orderOf();
    const bundle = randomBytes(100);
    const { holders: names } = await deposit(s.holding, 't', order, { bundle });
    expect([...names].sort()).toEqual(['h1', 'h2', 's']);
    for (const each of [s, ...holders]) expect(each.holding.counts().orders).toBe(1);
    network.start('t');
    await t.holding.start();
    await waitFor(() => [s, ...holders].every(({ holding }) => holding.counts().orders === 0));
    expect(t.taken.length).toBe(3);
    for (const taken of t.taken) expect(taken).toEqual({ starter: 's', user: 'ops', order: order.order, bundle: Uint8Array.from(bundle) });
    expect(s.deliveries).toEqual([{ ...which('t', order), taken: true }]);
    expect(await rowsOf(s)).toEqual([]);
  });

  test('reach the target through a holder when the starter is gone, after a restart of the holder', async () => {
    const s = await nodeWith('s');
    const rows = memoryKv();
    const h = await nodeWith('h', rows);
    network.node('t');
    network.stop('t');
    await deposit(s.holding, 't', orderOf());
    network.stop('s');
    await h.holding.stop();
    const again = await nodeWith('h', rows);
    network.start('t');
    const t = await nodeWith('t');
    await waitFor(() => t.taken.length === 1);
    await waitFor(() => again.holding.counts().orders === 0);
  });

  test('are kept while the target cannot take them, and dropped when it never will', async () => {
    const s = await nodeWith('s');
    const t = await nodeWith('t');
    t.refusal = new DtkdError('DISK_FULL', 'the disk is full');
    await deposit(s.holding, 't', orderOf());
    await waitFor(() => network.opened.length >= 1);
    expect(s.holding.counts().orders).toBe(1);
    t.refusal = new DtkdError('ORDER_INVALID', 'no order of this node');
    network.cut('s', 't');
    network.heal('s', 't');
    await waitFor(() => s.deliveries.length === 1);
    expect(s.deliveries[0]).toMatchObject({ taken: false, code: 'ORDER_INVALID' });
    expect(s.holding.counts().orders).toBe(0);
  });

  test('are not delivered when their time is over', async () => {
    const s = await nodeWith('s');
    const t = await nodeWith('t');
    network.cut('s', 't');
    await deposit(s.holding, 't', orderOf());
    time += 2 * DAY;
    network.heal('s', 't');
    await s.holding.stop();
    await nodeWith('s', s.rows);
    expect(t.taken).toEqual([]);
    expect(await rowsOf(s)).toEqual([]);
  });

  test('say where a bundle is that is too large to go in, and are refused if they are too large themselves', async () => {
    const s = await nodeWith('s');
    const t = await nodeWith('t');
    const bundle = randomBytes(MAX_SEALED_BYTES);
    await deposit(s.holding, 't', orderOf(), { bundle });
    await waitFor(() => t.taken.length === 1);
    expect(t.taken[0]).toMatchObject({ bundle: undefined, bundleAt: { digest: hashHex(bundle), size: MAX_SEALED_BYTES } });
    expect(s.offered).toEqual([{ key: keyOf('t', site), until: time + DAY }]);
    await expect(deposit(s.holding, 't', orderOf(0, MAX_SEALED_BYTES))).rejects.toMatchObject({ code: 'TOO_LARGE' });
  });

  test('are held all the same where the disk is full once others have them', async () => {
    const s = await nodeWith('s');
    const h = await nodeWith('h');
    network.node('t');
    network.stop('t');
    const { batch } = s.rows;
    let writes = 0;
    s.rows.batch = async (...given) => {
      writes += 1;
      if (writes > 1) throw new DtkdError('DISK_FULL', 'the disk is full');
      return batch.apply(s.rows, given);
    };
    const { holders } = await deposit(s.holding, 't', orderOf());
    expect(holders).toEqual(['h', 's']);
    expect(h.holding.counts().orders).toBe(1);
  });

  test('have at most three holders besides the starter', async () => {
    const s = await nodeWith('s');
    for (const name of ['h1', 'h2', 'h3', 'h4', 'h5']) await nodeWith(name);
    network.node('t');
    network.stop('t');
    network.stop('h1');
    const { holders } = await deposit(s.holding, 't', orderOf());
    expect(holders).toHaveLength(4);
    expect(holders).not.toContain('h1');
  });
});

describe('taking back', () => {
  test('what holders still have, all of them reached, leaves nothing to be started', async () => {
    const { s, h, order } = await held();
    expect(await s.holding.cancel(which('t', order))).toEqual({ notReached: [] });
    network.start('t');
    const t = await nodeWith('t');
    // The target hears of it from both, and keeps it until then.
    await waitFor(() => t.cancelled.length === 2);
    expect(t.taken).toEqual([]);
    // What was taken back is kept, so that nobody brings it again; it is no order that waits.
    for (const each of [s, h]) expect(each.holding.counts()).toEqual({ orders: 0, bytes: 0 });
    expect((await rowsOf(h)).map((key) => key.slice(0, 4))).toEqual(['h/m/']);
    // Taken back twice is taken back.
    expect(await s.holding.cancel(which('t', order))).toEqual({ notReached: [] });
  });

  test('names a holder that is away, and is heeded by the target if the cancellation comes first', async () => {
    const { s, order } = await held();
    network.cut('s', 'h');
    expect(await s.holding.cancel(which('t', order))).toEqual({ notReached: ['h', 't'] });
    network.cut('h', 't');
    network.start('t');
    const t = await nodeWith('t');
    await waitFor(() => t.cancelled.length === 1);
    network.heal('h', 't');
    await waitFor(() => network.opened.some(({ from, to }) => from === 'h' && to === 't'));
    // The holder has heard that it is of no use any more.
    await waitFor(async () => (await rowsOf({ ...t })).length === 1);
    expect(t.taken).toEqual([]);
  });

  test('goes on reaching holders later', async () => {
    const { s, h, order } = await held();
    network.cut('s', 'h');
    await s.holding.cancel(which('t', order));
    expect((await rowsOf(h)).some((key) => key.startsWith('h/s/'))).toBe(true);
    network.heal('s', 'h');
    await waitFor(async () => !(await rowsOf(h)).some((key) => key.startsWith('h/s/')));
  });

  test('what was delivered by a holder names the target, unless the target is told', async () => {
    const { s, h, order } = await held();
    network.cut('s', 't');
    network.start('t');
    const t = await nodeWith('t');
    await waitFor(() => t.taken.length === 1 && h.holding.counts().orders === 0);
    expect(await s.holding.cancel(which('t', order))).toEqual({ notReached: ['t'] });
    network.heal('s', 't');
    await waitFor(() => t.cancelled.length >= 1);
    expect(t.taken).toHaveLength(1);
  });

  test('names who may hold it although there was no answer, and tells it as well', async () => {
    const s = await nodeWith('s');
    const h = await nodeWith('h');
    network.node('t');
    network.stop('t');
    network.breaks = ({ to }) => (to === 'h' ? { back: 0 } : undefined);
    const order = orderOf();
    const { holders } = await deposit(s.holding, 't', order);
    expect(h.holding.counts().orders).toBe(1);
    expect([...holders].sort()).toEqual(['h', 's']);
    network.breaks = undefined;
    expect(await s.holding.cancel(which('t', order))).toEqual({ notReached: [] });
    expect((await rowsOf(h)).some((key) => key.startsWith('h/s/'))).toBe(false);
  });

  test('what this node handed over without an answer may be at the target, also after a restart', async () => {
    const s = await nodeWith('s');
    const t = await nodeWith('t');
    network.stop('t');
    const order = orderOf();
    await deposit(s.holding, 't', order);
    expect(s.holding.mayHaveDelivered(which('t', order))).toBe(false);
    network.breaks = ({ to }) => (to === 't' ? { back: 0 } : undefined);
    network.start('t');
    await t.holding.start();
    await waitFor(() => t.taken.length === 1);
    network.stop('t');
    expect(s.holding.mayHaveDelivered(which('t', order))).toBe(true);
    await s.holding.stop();
    const again = await nodeWith('s', s.rows);
    expect(again.holding.mayHaveDelivered(which('t', order))).toBe(true);
    expect(await again.holding.cancel(which('t', order))).toEqual({ notReached: ['t'] });
  });

  /** `h` has handed an order of `s` over to `t`, which took it and is away again: nobody has heard so. */
  async function handedOver() {
    const s = await nodeWith('s');
    await nodeWith('h');
    const t = await nodeWith('t');
    network.stop('t');
    const order = orderOf();
    await deposit(s.holding, 't', order);
    network.cut('s', 't');
    network.breaks = ({ to }) => (to === 't' ? { back: 0 } : undefined);
    network.start('t');
    await t.holding.start();
    await waitFor(() => t.taken.length === 1);
    network.stop('t');
    return { s, t, order };
  }

  /** Has a node refuse from now on; returns how often it was asked. */
  function refusing(at: Awaited<ReturnType<typeof nodeWith>>, refusal: DtkdError): () => number {
    let asked = 0;
    Object.defineProperty(at, 'refusal', {
      get() {
        asked += 1;
        return refusal;
      },
    });
    return () => asked;
  }

  test('what a holder handed over without an answer may be at the target', async () => {
    const { s, order } = await handedOver();
    expect(await s.holding.cancel(which('t', order))).toEqual({ notReached: ['t'] });
  });

  test('what the target says that it did not take was not delivered', async () => {
    const s = await nodeWith('s');
    const t = await nodeWith('t');
    network.stop('t');
    const order = orderOf();
    await deposit(s.holding, 't', order);
    const asked = refusing(t, new DtkdError('DISK_FULL', 'the disk is full'));
    network.start('t');
    await t.holding.start();
    await waitFor(() => asked() > 0);
    await waitFor(() => !s.holding.mayHaveDelivered(which('t', order)));
    network.stop('t');
    expect(await s.holding.cancel(which('t', order))).toEqual({ notReached: [] });
  });

  test('are forgotten when their starter is removed', async () => {
    const { s, h } = await held();
    const other = await nodeWith('other');
    await deposit(other.holding, 't', orderOf());
    expect(h.holding.counts().orders).toBe(2);
    gone.add(keyOf('s', site));
    network.remove('s');
    await waitFor(async () => (await rowsOf(h)).length === 2);
    expect(h.holding.counts().orders).toBe(1);
    expect((await rowsOf(h)).join()).toContain(keyOf('other', site));
    expect((await rowsOf(h)).join()).not.toContain(keyOf('s', site));
    await s.holding.stop();
  });

  test('what the target cannot take again may have been taken before', async () => {
    const { s, t, order } = await handedOver();
    network.breaks = () => undefined;
    const asked = refusing(t, new DtkdError('NOT_A_MEMBER', 'the node that started it is not a member known here'));
    network.start('t');
    await t.holding.start();
    await waitFor(() => asked() > 0);
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
    network.stop('t');
    expect(await s.holding.cancel(which('t', order))).toEqual({ notReached: ['t'] });
  });

  describe('while its target is asked, which cannot take it now', () => {
    /** `s` hands an order over to `t`, which answers only then. */
    async function handing() {
      const s = await nodeWith('s');
      const t = await nodeWith('t');
      network.stop('t');
      const order = orderOf();
      await deposit(s.holding, 't', order);
      const { promise, resolve: answer } = Promise.withResolvers<void>();
      const asked = new Promise<void>((resolve) => {
        Object.defineProperty(t, 'gate', {
          get() {
            resolve();
            return promise;
          },
        });
      });
      t.refusal = new DtkdError('CONTENT_MISSING', 'it is not here');
      network.start('t');
      await t.holding.start();
      await asked;
      return { s, t, order, answer };
    }

    /** The errands of `s` to `t` go on. */
    async function goOn(s: Site, t: Site) {
      t.refusal = undefined;
      network.stop('t');
      const next = orderOf();
      await deposit(s.holding, 't', next);
      network.start('t');
      await t.holding.start();
      await waitFor(() => t.taken.some(({ order }) => Buffer.compare(order, next.order) === 0), { what: 'the next order' });
      await s.holding.stop();
    }

    test('is told, and so is what comes next', async () => {
      const { s, t, order, answer } = await handing();
      const before = s.holding.counts().bytes;
      const cancelling = s.holding.cancel(which('t', order));
      await waitFor(() => s.holding.counts().bytes < before);
      answer();
      expect(await cancelling).toEqual({ notReached: [] });
      expect(t.cancelled).toEqual([`s ${order.id} 0`]);
      await goOn(s, t);
    });

    test('is told, and so is what comes next, after a full disk', async () => {
      const { s, t, answer } = await handing();
      const { batch } = s.rows;
      const failed = new Promise<void>((resolve) => {
        s.rows.batch = async () => {
          resolve();
          throw new DtkdError('DISK_FULL', 'the disk is full');
        };
      });
      answer();
      await failed;
      s.rows.batch = batch;
      await goOn(s, t);
    });
  });

  test('what is not held is told', async () => {
    const s = await nodeWith('s');
    await nodeWith('t');
    const order = orderOf();
    await expect(s.holding.cancel(which('t', order))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('hostile members', () => {
  const ask = (from: string, to: string, request: HoldRequest): Promise<HoldAnswer> =>
    askHold(network.node(from), { domain: site, key: keyOf(to, site) }, request, AbortSignal.timeout(60_000));
  const named = (starter: string, target: string, id = 'ab'.repeat(32)) => ({
    starter: keyOf(starter, site),
    target: keyOf(target, site),
    id,
    index: 0,
    notAfter: time + DAY,
  });
  const sealed = randomBytes(100);

  test('cannot deposit for others, for too long, for strangers, or for the holder itself', async () => {
    const h = await nodeWith('h');
    for (const name of ['s', 't', 'm']) network.node(name);
    const refused = async (request: HoldRequest, code: string) =>
      expect(await ask('m', 'h', request)).toMatchObject({ type: 'refused', code });
    await refused({ type: 'deposit', ...named('s', 't'), sealed }, 'FORBIDDEN');
    await refused({ type: 'deposit', ...named('m', 't'), notAfter: time + 8 * DAY, sealed }, 'ORDER_INVALID');
    await refused({ type: 'deposit', ...named('m', 't'), notAfter: time - 1, sealed }, 'ORDER_EXPIRED');
    await refused({ type: 'deposit', ...named('m', 'nobody'), sealed }, 'ORDER_INVALID');
    await refused({ type: 'deposit', ...named('m', 'h'), sealed }, 'ORDER_INVALID');
    await refused({ type: 'deposit', ...named('m', 't'), index: 70_000, sealed }, 'ORDER_INVALID');
    expect(h.holding.counts()).toEqual({ orders: 0, bytes: 0 });
  });

  test('cannot fill a holder', async () => {
    const h = await nodeWith('h');
    for (const name of ['t', 'm', 'n']) network.node(name);
    network.stop('t');
    const large = randomBytes(60 * 1024);
    let last: HoldAnswer = { type: 'done' };
    let count = 0;
    for (; last.type === 'done' && count < 300; count += 1) {
      last = await ask('m', 'h', { type: 'deposit', ...named('m', 't', executionIdOf(randomBytes(8))), sealed: large });
    }
    expect(last).toMatchObject({ code: 'QUOTA_EXCEEDED' });
    expect(h.holding.counts().bytes).toBeLessThanOrEqual(8 * 1024 * 1024);
    // Others still may.
    expect(await ask('n', 'h', { type: 'deposit', ...named('n', 't'), sealed })).toEqual({ type: 'done' });
  });

  test('cannot bring an order that is not of its starter, was altered, is for another, or is called otherwise', async () => {
    const t = await nodeWith('t');
    for (const name of ['s', 'm']) network.node(name);
    const { id, order } = orderOf();
    const box = (signer: string, to: string) => {
      const body = encodeCbor({ order });
      const signature = signingKey(signer, site).sign('order', body);
      return seal(keyOf(to, site), encodeCbor({ body, signature }));
    };
    const deliver = (request: Partial<HoldRequest>, bytes: Uint8Array) =>
      ask('m', 't', { type: 'deliver', ...named('s', 't', id), ...request, sealed: bytes } as HoldRequest);
    expect(await deliver({}, box('m', 't'))).toMatchObject({ code: 'SIGNATURE_INVALID' });
    expect(await deliver({}, box('s', 'm'))).toMatchObject({ code: 'SIGNATURE_INVALID' });
    expect(await deliver({}, randomBytes(200))).toMatchObject({ code: 'SIGNATURE_INVALID' });
    expect(await deliver({}, seal(keyOf('t', site), randomBytes(30)))).toMatchObject({ code: 'FRAME_INVALID' });
    expect(await deliver({ id: 'cd'.repeat(32) }, box('s', 't'))).toMatchObject({ code: 'ORDER_INVALID' });
    expect(await deliver({ index: 1 }, box('s', 't'))).toMatchObject({ code: 'ORDER_INVALID' });
    expect(await deliver({ target: keyOf('m', site) }, box('s', 't'))).toMatchObject({ code: 'ORDER_INVALID' });
    expect(t.taken).toEqual([]);
    expect(await deliver({}, box('s', 't'))).toEqual({ type: 'done' });
    network.remove('s');
    expect(await deliver({}, box('s', 't'))).toMatchObject({ code: 'NOT_A_MEMBER' });
  });

  test('cannot take back what others have ordered', async () => {
    const s = await nodeWith('s');
    const h = await nodeWith('h');
    for (const name of ['t', 'm']) network.node(name);
    network.stop('t');
    const order = orderOf();
    await deposit(s.holding, 't', order);
    const cancel = named('s', 't', order.id);
    const signature = signingKey('m', site).sign('order', encodeCbor({ cancel: true, id: order.id, index: 0, target: keyOf('t', site) }));
    expect(await ask('m', 'h', { type: 'cancel', ...cancel, signature })).toMatchObject({ code: 'FORBIDDEN' });
    expect(await ask('s', 'h', { type: 'cancel', ...cancel, signature })).toMatchObject({ code: 'SIGNATURE_INVALID' });
    network.start('t');
    const t = await nodeWith('t');
    expect(await ask('m', 't', { type: 'cancel', ...cancel, signature })).toMatchObject({ code: 'SIGNATURE_INVALID' });
    await waitFor(() => t.taken.length > 0);
    expect(h.holding.counts().orders).toBeLessThanOrEqual(1);
  });

  test.each<[string, Uint8Array]>([
    ['no CBOR', encodeFrame(Buffer.from('hello'))],
    ['of no known type', encodeFrame(encodeCbor({ type: 'steal' }))],
    ['too large', Buffer.from([0, 0xff, 0xff, 0xff])],
    ['nothing', Buffer.alloc(0)],
  ])('a request that is %s is refused', async (_what, bytes) => {
    await nodeWith('h');
    const stream = await network.node('m').open({ domain: site, key: keyOf('h', site) }, HOLD_PROTOCOL, AbortSignal.timeout(60_000));
    stream.end(bytes);
    const answer: Uint8Array[] = [];
    for await (const chunk of stream) answer.push(chunk);
    expect(Buffer.concat(answer).includes('refused')).toBe(true);
  });
});
