import { duplexPair } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { askReach, offsetOf, ReachAnswers, type ReachPorts } from '../../../daemon/src/mesh/domain/reach.ts';
import type { Link } from '../../../daemon/src/mesh/host/host.types.ts';
import { encodeFrame } from '../../../protocol/encoding/frames.ts';
import { type PeerKey, parsePeerKey } from '../../../protocol/ids.ts';
import { type Address, formatAddress } from '../../../protocol/peers/address.ts';
import { decodeReachTried, encodeReachTried, MAX_REACH_ADDRESSES } from '../../../protocol/peers/reach.ts';

const key = (byte: number): PeerKey => parsePeerKey(byte.toString(16).padStart(2, '0').repeat(32));
const at = (host: number): Address => ({ host: `192.0.2.${host}`, port: 7701 });
const linkOf = (peer: PeerKey): Link => ({ peer }) as unknown as Link;

interface World {
  announced: Address[];
  /** Hosts at which the asker itself answers. */
  there: string[];
  dialled: { host: string; expected: PeerKey | undefined }[];
  left: number;
  hang?: boolean;
}

function answers(world: World, more: Partial<ReachPorts> = {}): ReachAnswers {
  return new ReachAnswers({
    host: {
      async dial(address, expected) {
        world.dialled.push({ host: address.host, expected });
        if (world.hang === true) return new Promise(() => {});
        if (!world.there.includes(address.host)) throw new Error('refused');
        return { abort: () => (world.left += 1) } as unknown as Link;
      },
    },
    announced: () => world.announced,
    now: () => 5_000,
    tryMs: 30,
    ...more,
  });
}

const world = (more: Partial<World> = {}): World => ({ announced: [at(1), at(2)], there: ['192.0.2.2'], dialled: [], left: 0, ...more });

async function ask(serving: ReachAnswers, peer = key(1), reach = true) {
  const [near, far] = duplexPair();
  for (const side of [near, far]) side.on('error', () => {});
  const [probe] = await Promise.all([askReach(near, { reach, now: () => 1_000 }), serving.serve(far, linkOf(peer))]);
  return probe;
}

describe('a member that is asked whether it reaches another one', () => {
  it('tries what that one told in hello, expecting its key, and leaves again', async () => {
    const around = world();
    const { tried } = await ask(answers(around));
    expect(tried).toEqual([
      { address: formatAddress(at(1), -1), reached: false },
      { address: formatAddress(at(2), -1), reached: true },
    ]);
    expect(around.dialled).toEqual([1, 2].map((host) => ({ host: `192.0.2.${host}`, expected: key(1) })));
    expect(around.left).toBe(1);
  });

  it('tells its clock, and tries nothing if that was all', async () => {
    const around = world();
    const probe = await ask(answers(around), key(1), false);
    expect(probe.tried).toBeUndefined();
    expect(Math.abs(probe.offsetMs - 4_000)).toBeLessThanOrEqual(probe.boundMs + 1);
    expect(around.dialled).toEqual([]);
  });

  it('tries few addresses, however many were told', async () => {
    const around = world({ announced: Array.from({ length: 16 }, (_, host) => at(host + 1)) });
    const { tried } = await ask(answers(around));
    expect(tried).toHaveLength(MAX_REACH_ADDRESSES);
    expect(around.dialled).toHaveLength(MAX_REACH_ADDRESSES);
  });

  it('tells what never answers as it tells what refuses', async () => {
    const hanging = await ask(answers(world({ hang: true })));
    const refusing = await ask(answers(world({ there: [] })));
    expect(hanging.tried).toEqual(refusing.tried);
    expect(hanging.tried?.every(({ reached }) => !reached)).toBe(true);
  });

  it('tells again what it found when it is asked again soon, though other addresses are told by then', async () => {
    const around = world();
    const serving = answers(around);
    const first = await ask(serving);
    around.announced = [at(7), at(8)];
    expect((await ask(serving)).tried).toEqual(first.tried);
    expect(around.dialled).toHaveLength(2);
  });

  it('tries anew later', async () => {
    const around = world();
    const serving = answers(around, { keptMs: 0 });
    await ask(serving);
    await ask(serving);
    expect(around.dialled).toHaveLength(4);
  });

  it('tries for few members at once, and gives the others its clock only', async () => {
    const serving = answers(world({ hang: true }), { tryMs: 500 });
    const all = await Promise.all([1, 2, 3, 4, 5, 6].map((byte) => ask(serving, key(byte))));
    expect(all.filter(({ tried }) => tried === undefined)).toHaveLength(2);
    expect(all.every(({ offsetMs }) => offsetMs > 3_000)).toBe(true);
  });

  it.each([
    ['garbage', Buffer.from([0xff, 0xff, 0xff, 0xff])],
    ['an empty frame', Buffer.from([0, 0, 0, 0])],
    ['another message', Buffer.from(encodeFrame(encodeReachTried({ tried: [] })))],
  ])('ends the conversation on %s', async (_, bytes) => {
    const [near, far] = duplexPair();
    for (const side of [near, far]) side.on('error', () => {});
    const around = world();
    near.end(bytes);
    await answers(around).serve(far, linkOf(key(1)));
    expect(far.destroyed).toBe(true);
    expect(around.dialled).toEqual([]);
    near.destroy();
  });
});

it('an answer names few addresses only', () => {
  const tried = Array.from({ length: MAX_REACH_ADDRESSES + 1 }, () => ({ address: '192.0.2.1:1', reached: true }));
  expect(() => encodeReachTried({ tried })).toThrow();
  expect(() => decodeReachTried(Buffer.from([0xa0]))).toThrow(expect.objectContaining({ code: 'FRAME_INVALID' }));
});

it('the offset of a clock is within its bound, wherever in the round trip it was read', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -1e9, max: 1e9 }),
      fc.integer({ min: 0, max: 10_000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (ahead, trip, when) => {
        const asked = 1_700_000_000_000;
        const { offsetMs, boundMs } = offsetOf({ asked, roundTrip: trip, theirs: Math.floor(asked + trip * when) + ahead });
        expect(Math.abs(offsetMs - ahead)).toBeLessThanOrEqual(boundMs + 2);
      },
    ),
  );
});
