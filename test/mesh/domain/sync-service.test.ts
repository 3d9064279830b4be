import { duplexPair } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { Logger } from '../../../daemon/src/logging/logger.types.ts';
import { nextChunk, removedIds, type SyncPorts, SyncService } from '../../../daemon/src/mesh/domain/sync-service.ts';
import { FrameChannel } from '../../../daemon/src/mesh/host/frame-channel.ts';
import type { Link } from '../../../daemon/src/mesh/host/host.types.ts';
import type { MembershipState } from '../../../daemon/src/mesh/membership/membership.types.ts';
import { DtkdError, type ErrorCode } from '../../../protocol/errors.ts';
import { parsePeerKey } from '../../../protocol/ids.ts';
import { decodeFacts, encodeFacts, encodeSync, MAX_SYNC_FRAME_BYTES, SYNC_CHUNK_BYTES } from '../../../protocol/log/sync.ts';
import { silentLogger } from '../../silent-logger.ts';
import { waitFor } from '../../wait.ts';

describe('removals that are told', () => {
  it('fit into a message, however many there were in the life of a domain', () => {
    const removed = new Map(
      Array.from({ length: 5_000 }, (_, index) => {
        const key = parsePeerKey(index.toString(16).padStart(64, '0'));
        return [key, { name: `n${index}`, fact: '', left: false }] as const;
      }),
    );
    const state = { removed } as unknown as MembershipState;
    const ids = removedIds({ state: () => state });
    const message = { type: 'heard', digest: '0'.repeat(64), removed: ids } as const;
    expect(decodeFacts(encodeFacts(message))).toEqual(message);
    expect([...ids].sort()).toEqual(ids);
  });
});

it('sends more at a time on a quick line, and no more than a slow one carries in time', () => {
  const after = (from: number, ...times: number[]): number => times.reduce((bytes, ms) => nextChunk(bytes, ms), from);
  expect(after(64 * 1024, 10, 10, 10, 10)).toBe(SYNC_CHUNK_BYTES);
  expect(after(64 * 1024, 2_500, 2_500)).toBe(64 * 1024);
  expect(after(SYNC_CHUNK_BYTES, 9_000, 9_000, 9_000, 9_000)).toBe(64 * 1024);
});

const peer = parsePeerKey('1'.repeat(64));

describe('a request for what a member has', () => {
  it('is never lost, at whatever moment it comes while an earlier one ends', async () => {
    for (let turns = 0; turns < 40; turns += 1) {
      let asked = 0;
      const open = (): Promise<never> => {
        asked += 1;
        return Promise.reject(new Error('no stream'));
      };
      const sync = new SyncService({ logger: silentLogger, link: () => ({ closed: false, open }) } as unknown as SyncPorts);
      void sync.pull(peer);
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      const before = asked;
      await sync.pull(peer);
      expect({ turns, asked }).toEqual({ turns, asked: before + 1 });
    }
  });
});

it('is told of in the log once a minute where it fails for the same reason, whoever causes it', async () => {
  const warned: unknown[] = [];
  const logger: Logger = { ...silentLogger, warn: (fields) => void warned.push(fields) };
  let code: ErrorCode = 'DISK_FULL';
  const open = (): Promise<never> => Promise.reject(new DtkdError(code, 'no'));
  const sync = new SyncService({ logger, link: () => ({ closed: false, open }) } as unknown as SyncPorts);
  for (let times = 0; times < 3; times += 1) await sync.pull(peer);
  expect(warned).toHaveLength(1);
  code = 'FRAME_INVALID';
  await sync.pull(peer);
  expect(warned).toHaveLength(2);
  for (let times = 0; times < 3; times += 1) {
    const [here, there] = duplexPair();
    here.on('error', () => undefined);
    there.end(Buffer.from([0, 0, 0, 1, 0xff]));
    await sync.serveSync(here, { peer } as Link);
  }
  expect(warned).toHaveLength(3);
});

describe('a member that is connected twice', () => {
  /** Notes when it is asked for a stream, and gives none. */
  function link(name: string, asked: string[], closed = false): Link {
    const open = (): Promise<never> => {
      asked.push(name);
      return Promise.reject(new Error('no stream'));
    };
    return { peer, closed, open } as unknown as Link;
  }

  it.each([
    ['open', false, 'other'],
    ['closed', true, 'best'],
  ])('is asked on the connection on which it told what it has, if that is still open: %s', async (_, closed, expected) => {
    const asked: string[] = [];
    const best = link('best', asked);
    const state = { removed: new Map(), members: new Map(), suspended: new Map() };
    const sync = new SyncService({
      membership: { state: () => state, digest: () => '0'.repeat(64) },
      log: { heads: async () => [], isBehind: async () => true },
      logger: silentLogger,
      link: () => best,
      heard: () => {},
    } as unknown as SyncPorts);
    const [ours, theirs] = duplexPair();
    const served = sync.serveSync(ours, link('other', asked, closed));
    const channel = new FrameChannel(theirs, { maxFrameBytes: MAX_SYNC_FRAME_BYTES, timeoutMs: 60_000 });
    await channel.sendBytes(encodeSync({ type: 'heads', digest: '0'.repeat(64), removed: [], heads: [] }));
    await channel.read();
    await waitFor(() => asked.length > 0, { what: 'it to be asked' });
    channel.finish();
    await served;
    expect(asked).toEqual([expected]);
  });
});
