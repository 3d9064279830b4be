import { describe, expect, it } from 'vitest';
import type { Logger } from '../../../daemon/src/logging/logger.types.ts';
import { Telling, type TellingPorts } from '../../../daemon/src/mesh/domain/telling.ts';
import { type PeerKey, parsePeerKey } from '../../../protocol/ids.ts';
import { encodeGossip } from '../../../protocol/peers/gossip.ts';
import { silentLogger } from '../../silent-logger.ts';

const liar = parsePeerKey('1'.repeat(64));
const other = parsePeerKey('2'.repeat(64));

describe('what is gossiped and builds on what is not known here', () => {
  it('makes facts equal with whoever tells it, once at a time, however much it tells', async () => {
    const asked: PeerKey[] = [];
    let answered = Promise.withResolvers<void>();
    const telling = new Telling({
      membership: {
        items: () => [],
        add: async () => ({ added: [], rejected: [{ code: 'NOT_FOUND', message: 'the grant is not known here' }] }),
      },
      logger: silentLogger,
      pushFacts: (peer: PeerKey) => {
        asked.push(peer);
        return answered.promise;
      },
    } as unknown as TellingPorts);
    const tell = (from: PeerKey, number: number) => telling.judge(from, encodeGossip('item', Uint8Array.of(number)));
    for (let number = 0; number < 100; number += 1) expect(await tell(liar, number)).toBe('ignore');
    expect(await tell(other, 0)).toBe('ignore');
    expect(asked).toEqual([liar, other]);
    answered.reject(new Error('it went away'));
    await new Promise((resolve) => setImmediate(resolve));
    answered = Promise.withResolvers();
    await tell(liar, 0);
    expect(asked).toEqual([liar, other, liar]);
  });
});

it('that is invalid is told of in the log once a minute for each member that passes it on', async () => {
  const warned: unknown[] = [];
  const logger: Logger = { ...silentLogger, warn: (fields) => void warned.push(fields) };
  const telling = new Telling({ membership: { items: () => [] }, logger } as unknown as TellingPorts);
  for (const from of [liar, liar, other, liar]) expect(await telling.judge(from, Uint8Array.of(0xff))).toBe('reject');
  expect(warned).toHaveLength(2);
});
