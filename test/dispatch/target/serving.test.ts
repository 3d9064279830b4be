import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readyRows } from '../../../daemon/src/dispatch/target/ready-rows.ts';
import { FrameReader } from '../../../daemon/src/streams/frame-reader.ts';
import { decodeCbor, encodeCbor } from '../../../protocol/encoding/cbor.ts';
import { encodeFrame } from '../../../protocol/encoding/frames.ts';
import { DISPATCH_PROTOCOL, type DispatchEvent, dispatchEvent, MAX_DISPATCH_FRAME_BYTES } from '../../../protocol/orders/messages.ts';
import { waitFor } from '../../wait.ts';
import { keyOf } from '../fake-members.ts';
import { exec, orderOf, outputOf, SITE, STARTER, shell, TARGET, USER, type World, world } from './world.ts';

let site: World;
let visible: boolean;
beforeEach(async () => {
  visible = true;
  site = await world({
    decide: (principal, { verb }) =>
      verb === 'EXECUTE' || visible || principal.name === USER.name
        ? { allowed: true, because: 'capability c1' }
        : { allowed: false, reason: 'it has nothing' },
  });
});
afterEach(() => site.close());

async function open(node = STARTER): Promise<Duplex> {
  return site.network.node(node).open({ domain: SITE, key: keyOf(TARGET, SITE) }, DISPATCH_PROTOCOL, AbortSignal.timeout(60_000));
}

async function* events(stream: Duplex): AsyncGenerator<DispatchEvent> {
  const reader = new FrameReader(stream, MAX_DISPATCH_FRAME_BYTES);
  for (let frame = await reader.next(); frame !== undefined; frame = await reader.next())
    yield decodeCbor(frame, dispatchEvent, 'an event');
}

async function allOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

async function ask(request: object, node = STARTER): Promise<DispatchEvent[]> {
  const stream = await open(node);
  stream.end(encodeFrame(encodeCbor(request)));
  return allOf(events(stream));
}

function outcomes(told: readonly DispatchEvent[]): (string | undefined)[] {
  return told.map((event) =>
    event.type === 'part' ? (event.part.outcome ?? event.part.state) : event.type === 'error' ? event.code : event.type,
  );
}

describe('a stream of /dtkd/dispatch', () => {
  it('carries an order, then the part, its output and its end', async () => {
    const order = orderOf({ work: shell('echo hello') });
    const told = await ask({ type: 'order', user: USER, order: order.bytes, offset: 0 });
    expect(told.at(0)).toMatchObject({ type: 'part', id: order.id });
    expect(told.at(-1)).toEqual({ type: 'end' });
    expect(outcomes(told)).toContain('succeeded');
    const records = told.flatMap((event) => (event.type === 'records' ? [event] : []));
    expect(records.reduce((sum, { records: bytes }) => sum + bytes.length, 0)).toBe(
      (await site.target.find({ type: 'operator', name: 'operator' }, order.id))[0]?.part().offset,
    );
  });

  it('never says that it does not know what it may have forgotten: its starter would take it for not started', async () => {
    const attach = { type: 'attach', user: USER, id: 'e'.repeat(64), index: 0, offset: 0, follow: true };
    expect(outcomes(await ask(attach))).toEqual(['NOT_FOUND', 'end']);
    site.members.restored = Date.now() - 60_000;
    expect(outcomes(await ask(attach))).toEqual(['UNAVAILABLE', 'end']);
    site.members.restored = Date.now() - 9 * 24 * 3_600_000;
    expect(outcomes(await ask(attach))).toEqual(['NOT_FOUND', 'end']);
  });

  it('reads a few requests of one member at a time, and those of others all the same', async () => {
    const slow = await Promise.all(Array.from({ length: 40 }, () => open()));
    for (const stream of slow) stream.write(Uint8Array.from([0, 0, 1, 0]));
    const late = ask({ type: 'find', user: USER, id: 'abcdef' });
    expect(outcomes(await ask({ type: 'find', user: USER, id: 'abcdef' }, 'laptop'))).toEqual(['end']);
    // It has its turn when the first ones come to nothing.
    for (const stream of slow) stream.destroy();
    expect(outcomes(await late)).toEqual(['end']);
  });

  it('refuses what it does not take, and whom it does not know', async () => {
    const order = orderOf({ work: exec('/bin/true') });
    expect(outcomes(await ask({ type: 'order', order: order.bytes, offset: 0 }))).toEqual(['refused', 'end']);
    const other = orderOf({ work: exec('/bin/true'), entry: { key: keyOf('somebody', SITE) } });
    expect(outcomes(await ask({ type: 'order', user: USER, order: other.bytes, offset: 0 }))).toEqual(['ORDER_INVALID', 'end']);
    expect(outcomes(await ask({ type: 'find', id: order.id }))).toEqual(['FORBIDDEN', 'end']);
    expect(outcomes(await ask({ type: 'attach', user: USER, id: 'e'.repeat(64), index: 0, offset: 0, follow: true }))).toEqual([
      'NOT_FOUND',
      'end',
    ]);
    expect(outcomes(await ask({ type: 'dance' }))).toEqual(['FRAME_INVALID', 'end']);
  });

  it('is not brought by somebody else', async () => {
    site.network.node('thief');
    const order = orderOf({ work: exec('/bin/true') });
    expect(outcomes(await ask({ type: 'order', user: USER, order: order.bytes, offset: 0 }, 'thief'))).toEqual(['ORDER_INVALID', 'end']);
  });

  it('shows and ends parts for those who may, from any node', async () => {
    site.network.node('third');
    const order = orderOf({ work: shell('echo on; sleep 60') });
    const running = ask({ type: 'order', user: USER, order: order.bytes, offset: 0 });
    const stranger = { name: 'guest', uid: 'g' };
    visible = false;
    await waitFor(async () => (await site.target.find({ type: 'operator', name: 'operator' }, order.id)).length > 0, { what: 'the order' });
    expect(outcomes(await ask({ type: 'find', user: stranger, id: order.id.slice(0, 8) }, 'third'))).toEqual(['end']);
    expect(outcomes(await ask({ type: 'attach', user: stranger, id: order.id, index: 0, offset: 0, follow: false }, 'third'))).toEqual([
      'NOT_FOUND',
      'end',
    ]);
    visible = true;
    const [found] = await ask({ type: 'find', user: stranger, id: order.id.slice(0, 8) }, 'third');
    expect(found).toMatchObject({ type: 'part', id: order.id, part: { state: 'running' }, order: order.bytes });
    expect(outcomes(await ask({ type: 'abort', user: stranger, id: order.id }, 'third'))).toEqual(['failed', 'end']);
    expect(outcomes(await running).at(-1)).toBe('end');
  });

  it('tells nothing more from when the right to see the part has ended', async () => {
    site.network.node('third');
    const gate = join(site.directory, 'gate');
    const order = orderOf({ work: shell(`echo before; until test -e ${gate}; do sleep 0.01; done; echo after`) });
    const running = ask({ type: 'order', user: USER, order: order.bytes, offset: 0 });
    await waitFor(async () => (await site.target.find({ type: 'operator', name: 'operator' }, order.id)).length > 0, { what: 'the order' });
    const stream = await open('third');
    stream.end(
      encodeFrame(encodeCbor({ type: 'attach', user: { name: 'guest', uid: 'g' }, id: order.id, index: 0, offset: 0, follow: true })),
    );
    const told: DispatchEvent[] = [];
    const following = (async () => {
      for await (const event of events(stream)) told.push(event);
    })();
    const textOf = (all: readonly DispatchEvent[]) =>
      all.map((event) => (event.type === 'records' ? Buffer.from(event.records).toString('latin1') : '')).join('');
    await waitFor(() => textOf(told).includes('before'), { what: 'the first output' });
    visible = false;
    await writeFile(gate, '');
    await following;
    expect(textOf(told)).not.toContain('after');
    expect(outcomes(told).slice(-2)).toEqual(['FORBIDDEN', 'end']);
    expect(textOf(await running)).toContain('after');
  });

  describe('on which an order is made ready', () => {
    const frameOf = (value: object) => encodeFrame(encodeCbor(value));
    const marker = () => join(site.directory, 'marker');
    const started = () =>
      stat(marker()).then(
        () => true,
        () => false,
      );
    async function prepared() {
      const order = orderOf({ work: shell(`touch ${marker()}; echo hello`) });
      const stream = await open();
      stream.write(frameOf({ type: 'prepare', user: USER, order: order.bytes }));
      const told = events(stream);
      expect((await told.next()).value).toEqual({ type: 'prepared' });
      return { order, stream, told };
    }
    const forgotten = async (id: string) =>
      (await allOf(readyRows(site.store.kv, () => undefined))).length === 0 &&
      (await site.target.find({ type: 'operator', name: 'operator' }, id)).length === 0;

    it('carries the part, its output and its end after the word', async () => {
      const { order, stream, told } = await prepared();
      expect(await started()).toBe(false);
      stream.end(frameOf({ type: 'go' }));
      const all = await allOf(told);
      expect(all.at(0)).toMatchObject({ type: 'part', id: order.id });
      expect(outcomes(all)).toContain('succeeded');
      expect(all.at(-1)).toEqual({ type: 'end' });
      expect(await started()).toBe(true);
    });

    it('lets go of it where the stream ends or breaks without the word, or with another', async () => {
      const [ended, broken, odd] = [await prepared(), await prepared(), await prepared()];
      ended.stream.end();
      expect(outcomes(await allOf(ended.told))).toEqual(['UNAVAILABLE', 'end']);
      broken.stream.destroy();
      odd.stream.end(frameOf({ type: 'dance' }));
      expect(outcomes(await allOf(odd.told))).toEqual(['FRAME_INVALID', 'end']);
      for (const { order } of [ended, broken, odd]) await waitFor(() => forgotten(order.id), { what: 'it to be let go of' });
      expect(await started()).toBe(false);
    });

    it('says why it does not, and takes no word without an order', async () => {
      const order = orderOf({ work: exec('/bin/true') });
      expect(outcomes(await ask({ type: 'prepare', order: order.bytes }))).toEqual(['FORBIDDEN', 'end']);
      expect(outcomes(await ask({ type: 'prepare', user: USER, order: order.bytes }, 'laptop'))).toEqual(['ORDER_INVALID', 'end']);
      expect(outcomes(await ask({ type: 'go' }))).toEqual(['FRAME_INVALID', 'end']);
    });
  });

  it('goes on from any offset without a gap or a repetition, however often it breaks', async () => {
    const gate = join(site.directory, 'gate');
    const order = orderOf({
      work: shell(`i=0; while [ $i -lt 200 ]; do echo line $i; i=$((i+1)); done; until test -e ${gate}; do sleep 0.01; done; echo end`),
    });
    const stream = await open();
    stream.end(encodeFrame(encodeCbor({ type: 'order', user: USER, order: order.bytes, offset: 0 })));
    await events(stream).next();
    await writeFile(gate, '');
    const [part] = await site.target.find({ type: 'operator', name: 'operator' }, order.id);
    if (part === undefined) throw new Error('the part is not known');
    await part.ended;
    const whole = Buffer.from(await readAll(part));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 6_000 }), { maxLength: 8 }), async (cuts) => {
        let got = Buffer.alloc(0);
        let over = false;
        for (let attempt = 0; !over; attempt++) {
          const budget = cuts[attempt];
          site.network.breaks = () => (budget === undefined ? undefined : { back: budget });
          const broken = await open();
          broken.end(encodeFrame(encodeCbor({ type: 'attach', user: USER, id: order.id, index: 0, offset: got.length, follow: true })));
          try {
            for await (const event of events(broken)) {
              if (event.type === 'records') {
                expect(event.offset).toBe(got.length);
                got = Buffer.concat([got, event.records]);
              }
              over ||= event.type === 'end';
            }
          } catch {
            // It was cut; the next one goes on.
          }
        }
        expect(got.equals(whole)).toBe(true);
      }),
      { numRuns: 25 },
    );
    expect((await outputOf(part)).out.split('\n')).toHaveLength(202);
  });

  it('holds no more of a flood than its reader takes', async () => {
    const order = orderOf({ work: shell('yes | head -c 3000000') });
    const stream = await open();
    stream.end(encodeFrame(encodeCbor({ type: 'order', user: USER, order: order.bytes, offset: 0 })));
    await waitFor(async () => (await site.target.find({ type: 'operator', name: 'operator' }, order.id))[0]?.part().outcome, {
      what: 'the end of the flood',
    });
    expect(stream.readableLength).toBeLessThan(600_000);
    let bytes = 0;
    for await (const event of events(stream)) if (event.type === 'records') bytes += event.records.length;
    expect(bytes).toBeGreaterThan(3_000_000);
  });
});

async function readAll(part: { read(offset: number, max: number): Promise<Uint8Array> }): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for (let offset = 0; ; ) {
    const bytes = await part.read(offset, 65_536);
    if (bytes.length === 0) return Buffer.concat(pieces);
    pieces.push(bytes);
    offset += bytes.length;
  }
}
