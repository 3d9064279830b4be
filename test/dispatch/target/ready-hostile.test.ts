/** Orders that are ready, where a starter does what it should not, or the disk does not take what has to be written. */
import { access, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createDispatchServer } from '../../../daemon/src/dispatch/target/serving.ts';
import type { PartHandle, PreparedOrder } from '../../../daemon/src/dispatch/target/target.types.ts';
import { FrameReader } from '../../../daemon/src/streams/frame-reader.ts';
import { decodeCbor, encodeCbor } from '../../../protocol/encoding/cbor.ts';
import { encodeFrame } from '../../../protocol/encoding/frames.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { DISPATCH_PROTOCOL, dispatchEvent } from '../../../protocol/orders/messages.ts';
import { waitFor } from '../../wait.ts';
import { keyOf } from '../fake-members.ts';
import { exec, from, orderOf, policyObject, SITE, STARTER, shell, TARGET, USER, type World, world } from './world.ts';

const OPERATOR = { type: 'operator', name: 'operator' } as const;
const LIMITS = { limits: { concurrency: 2 } };
const FRAME_BYTES = 1_300_000;

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

let site: World;
beforeEach(async () => {
  site = await world({ policy: LIMITS });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await site.close();
});

const marker = () => join(site.directory, 'marker');
const marks = async () => (await readFile(marker(), 'utf8').catch(() => '')).split('\n').length - 1;
const marking = () => orderOf({ work: shell(`echo x >>${marker()}`) });
const accept = ({ bytes }: { bytes: Uint8Array }) => site.target.accept(from(site), { order: bytes });
const prepare = ({ bytes }: { bytes: Uint8Array }) => site.target.prepare(from(site), { order: bytes });
const isThere = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

async function open(): Promise<Duplex> {
  return site.network.node(STARTER).open({ domain: SITE, key: keyOf(TARGET, SITE) }, DISPATCH_PROTOCOL, AbortSignal.timeout(60_000));
}

async function isCollected(one: WeakRef<object>): Promise<void> {
  const isGone = () => {
    collect();
    return one.deref() === undefined;
  };
  await waitFor(isGone, { what: 'it to be let go of' });
}

describe('an order that comes by two ways at the same moment', () => {
  it.each(['first at its turn', 'first ahead of it'])('starts once: %s', async (which) => {
    const order = marking();
    const coming = which === 'first at its turn' ? [accept(order), prepare(order)] : [prepare(order), accept(order)].reverse();
    const [taken, ahead] = await Promise.allSettled(coming);
    if (taken?.status !== 'fulfilled' || !('ended' in taken.value)) return expect.fail('it was not taken');
    await taken.value.ended;
    await waitFor(async () => !(await isThere(join(site.directory, 'dispatch', 'runs', `${order.id}-0`))), {
      what: 'nothing to be left of it',
    });
    // what had been made ready starts nothing any more
    if (ahead?.status === 'fulfilled' && 'go' in ahead.value)
      await ahead.value.go().then(
        (part) => part.ended,
        () => undefined,
      );
    expect(await marks()).toBe(1);
  });
});

describe('where the disk does not take what has to be written', () => {
  it.each(['its turn has not come', 'the policy has changed'])('what was taken is not told as not taken: %s', async (why) => {
    const order = marking();
    const ready = await prepare(order);
    const gate = join(site.directory, 'gate');
    if (why === 'the policy has changed') await site.store.transact((tx) => tx.put(policyObject({ ...LIMITS, trust: [] })));
    else for (let at = 0; at < 2; at++) await accept(orderOf({ work: shell(`until test -e ${gate}; do sleep 0.01; done`) }));
    const transact = site.store.transact.bind(site.store);
    let refused = 0;
    vi.spyOn(site.store, 'transact').mockImplementation((run, options) =>
      transact(async (tx) => {
        const remove = tx.delRow.bind(tx);
        tx.delRow = (key) => {
          if (!key.startsWith('j/r/')) return remove(key);
          refused += 1;
          throw new DtkdError('DISK_FULL', 'the disk is full');
        };
        return run(tx);
      }, options),
    );
    const part = await ready.go();
    await mkdir(gate);
    expect(await part.ended).toMatchObject({ outcome: 'succeeded' });
    expect([refused, await marks()]).toEqual([1, 1]);
    vi.restoreAllMocks();
    await site.crash();
    expect((await site.target.find(OPERATOR, order.id)).map((one) => one.part().outcome)).toEqual(['succeeded']);
  });

  it('what has started, and cannot be written down, can be ended, and so can all else', async () => {
    const trap = (name: string) => {
      const file = join(site.directory, name);
      return orderOf({ work: shell(`trap 'echo >${file}.off; exit' TERM; echo >${file}.on; while :; do sleep 0.01; done`) });
    };
    const running = (name: string) => waitFor(() => isThere(join(site.directory, `${name}.on`)), { what: `${name} to run` });
    const ended = (name: string) => waitFor(() => isThere(join(site.directory, `${name}.off`)), { what: `${name} to end` });
    const [order, other] = [trap('one'), trap('other')];
    await accept(other);
    await running('other');
    const ready = await prepare(order);
    const transact = site.store.transact.bind(site.store);
    const writable = Promise.withResolvers<void>();
    vi.spyOn(site.store, 'transact').mockImplementation(async (run, options) => {
      await writable.promise;
      return transact(run, options);
    });
    const going = ready.go();
    await running('one');
    const aborts = [other, order].map(({ id }) => site.target.abort(OPERATOR, id));
    await ended('other');
    await ended('one');
    writable.resolve();
    expect(await Promise.all(aborts)).toMatchObject([[{ code: 'ABORTED' }], [{ code: 'ABORTED' }]]);
    expect(await (await going).ended).toMatchObject({ outcome: 'failed', code: 'ABORTED' });
  });
});

describe('of what a starter sends no more is kept', () => {
  it('than the order, however large the frame was in which it came', async () => {
    const { bytes } = orderOf({ work: exec('/bin/true') });
    const { ready, frame } = await (async () => {
      const all = new Uint8Array(FRAME_BYTES);
      all.set(bytes);
      const prepared = await site.target.prepare(from(site), { order: all.subarray(0, bytes.length) });
      return { ready: prepared, frame: new WeakRef(all.buffer) };
    })();
    await isCollected(frame);
    await ready.leave();
  });

  it('than the word, while that is waited for', async () => {
    const stream = await open();
    stream.write(encodeFrame(encodeCbor({ type: 'prepare', user: USER, order: marking().bytes })));
    const reader = new FrameReader(stream, FRAME_BYTES);
    const next = async () => decodeCbor((await reader.next(20_000)) ?? expect.fail('it has ended'), dispatchEvent, 'an event');
    expect(await next()).toEqual({ type: 'prepared' });
    stream.write(encodeFrame(new Uint8Array(FRAME_BYTES)).subarray(0, 64));
    expect(await next()).toMatchObject({ type: 'error', code: 'FRAME_TOO_LARGE' });
    expect(await marks()).toBe(0);
  });

  it('than the part, once that is followed', async () => {
    const { promise: ended } = Promise.withResolvers<never>();
    const part: PartHandle = {
      id: 'a'.repeat(64),
      index: 0,
      part: () => ({ index: 0, node: TARGET, what: 'exec', state: 'accepted' }),
      read: async () => new Uint8Array(),
      onChange: () => () => undefined,
      ended,
    };
    let prepared: WeakRef<PreparedOrder> | undefined;
    const unasked = () => expect.fail('nobody asks for this');
    const logger = { debug: unasked, info: unasked, warn: unasked, error: unasked, child: unasked };
    const server = createDispatchServer({
      target: {
        async prepare() {
          const one = { go: async () => part, leave: async () => undefined };
          prepared = new WeakRef(one);
          return one;
        },
        accept: unasked,
        attach: unasked,
        find: unasked,
        abort: unasked,
      },
      started: () => undefined,
      remoteUser: unasked,
      restoredAt: () => undefined,
      now: Date.now,
      logger: { ...logger, debug: () => undefined },
    });
    server.listen(site.members);
    const stream = await open();
    const reader = new FrameReader(stream, FRAME_BYTES);
    for (const word of [{ type: 'prepare', user: USER, order: new Uint8Array(1) }, { type: 'go' }]) {
      stream.write(encodeFrame(encodeCbor(word)));
      await reader.next(20_000);
    }
    await isCollected(prepared ?? expect.fail('it was not prepared'));
    stream.destroy();
  });
});
