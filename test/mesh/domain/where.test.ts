import { duplexPair } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AddressBook } from '../../../daemon/src/mesh/domain/address-book.ts';
import { answerWhere, askWhere, weigh } from '../../../daemon/src/mesh/domain/where.ts';
import type { Link } from '../../../daemon/src/mesh/host/host.types.ts';
import { encodeFrame } from '../../../protocol/encoding/frames.ts';
import { type PeerKey, parseDomainId, parsePeerKey } from '../../../protocol/ids.ts';
import { type Address, parseAddress } from '../../../protocol/peers/address.ts';
import { MAX_PEER_ADDRESSES } from '../../../protocol/peers/hello.ts';
import { decodeWhereAnswer, encodeWhereAnswer, encodeWhereQuestion, MAX_WHERE_FRAME_BYTES } from '../../../protocol/peers/whereabouts.ts';
import { memoryKv } from '../../store/memory-kv.ts';
import { collect } from '../host/hosts.ts';

const member = parsePeerKey('01'.repeat(32));
const removed = parsePeerKey('02'.repeat(32));
const at = (host: number): Address => ({ host: `192.0.2.${host}`, port: 7701 });
const hosts = (addresses: readonly Address[]): string[] => addresses.map(({ host }) => host);

function pair() {
  const [near, far] = duplexPair();
  // A stream of a link has such a listener from the beginning.
  for (const side of [near, far]) side.on('error', () => {});
  return { near, far, link: { open: async () => near } as unknown as Link };
}

describe('the question where a member is', () => {
  let book: AddressBook;
  beforeEach(() => {
    book = new AddressBook(memoryKv(), parseDomainId('ab'.repeat(32)));
    for (const key of [member, removed]) book.announced(key, [1, 2, 3, 4, 5, 6].map(at));
  });
  const isMember = (key: PeerKey): boolean => key === member;

  it('is answered with the best few addresses', async () => {
    const { link, far } = pair();
    const [found] = await Promise.all([askWhere([link], member), answerWhere(far, { book, isMember })]);
    expect(found).toEqual([1, 2, 3, 4].map(at));
    expect(found).toHaveLength(MAX_PEER_ADDRESSES);
  });

  it('is answered with nothing of a key that is not a member, known or not', async () => {
    for (const key of [removed, parsePeerKey('03'.repeat(32))]) {
      const { link, far } = pair();
      const [found] = await Promise.all([askWhere([link], key), answerWhere(far, { book, isMember })]);
      expect(found).toEqual([]);
    }
  });

  it.each([
    ['garbage', Buffer.from([0xff, 0xff, 0xff, 0xff])],
    ['a frame over the limit', Buffer.from([0, 0, 0x10, 0])],
    ['an empty frame', Buffer.from([0, 0, 0, 0])],
    ['another message', Buffer.from(encodeFrame(encodeWhereAnswer({ addresses: [] })))],
    ['half a question', Buffer.from(encodeFrame(encodeWhereQuestion({ key: member })).subarray(0, 20))],
  ])('that is %s ends the conversation and tells nothing', async (_, bytes) => {
    const { near, far } = pair();
    const told = collect(near).catch(() => Buffer.alloc(0));
    near.end(bytes);
    await answerWhere(far, { book, isMember });
    expect(far.destroyed).toBe(true);
    near.destroy();
    expect((await told).length).toBe(0);
  });

  it('makes one answer, whatever else is asked on the stream', async () => {
    const { near, far } = pair();
    const question = encodeFrame(encodeWhereQuestion({ key: member }));
    near.end(Buffer.concat([question, question, question]));
    const [told] = await Promise.all([collect(near), answerWhere(far, { book, isMember })]);
    expect(told.length).toBeLessThanOrEqual(MAX_WHERE_FRAME_BYTES);
    expect(decodeWhereAnswer(told.subarray(4)).addresses).toHaveLength(MAX_PEER_ADDRESSES);
  });
});

describe('the answers', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  /** A neighbour that answers with these bytes, whatever it is asked. */
  function answering(bytes: Uint8Array): Link {
    const { far, link } = pair();
    far.resume();
    far.end(bytes);
    return link;
  }
  const saying = (...addresses: string[]): Link => answering(encodeFrame(encodeWhereAnswer({ addresses })));

  it('of those that fail, lie about their length or say nothing sensible add nothing', async () => {
    const gone = { open: () => Promise.reject(new Error('gone')) } as unknown as Link;
    const links = [
      gone,
      answering(Buffer.from([0xff, 0xff, 0xff, 0xff])),
      answering(encodeFrame(Uint8Array.of(0xa0))),
      answering(new Uint8Array(0)),
      saying('not an address', '192.0.2.9:0', '192.0.2.1:7701'),
    ];
    expect(await askWhere(links, member)).toEqual([parseAddress('192.0.2.1:7701')]);
  });

  it('are weighed: what most say first, and nobody keeps out what another says', () => {
    const liar = [11, 12, 13, 14].map(at);
    expect(hosts(weigh([liar, [at(1)]]).slice(0, 2))).toContain('192.0.2.1');
    expect(hosts(weigh([liar, [at(2), at(1)], [at(1)]]))[0]).toBe('192.0.2.1');
    // Saying it again is not another vote.
    expect(hosts(weigh([[at(9), at(9), at(9), at(9)], [at(1)], [at(1)]]))).toEqual(['192.0.2.1', '192.0.2.9']);
    expect(weigh([])).toEqual([]);
  });
});
