import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createContent } from '../../../daemon/src/dispatch/content/content.ts';
import type { ContentStore } from '../../../daemon/src/dispatch/content/content.types.ts';
import type { Member } from '../../../daemon/src/dispatch/dispatch.types.ts';
import { fetchOffered, offerBundle } from '../../../daemon/src/dispatch/hold/large-bundles.ts';
import { hashHex } from '../../../protocol/keys/signing.ts';
import { CONTENT_PROTOCOL } from '../../../protocol/orders/messages.ts';
import { silentLogger } from '../../silent-logger.ts';
import { memoryKv } from '../../store/memory-kv.ts';
import { domainId, FakeNetwork, keyOf } from '../fake-members.ts';

const site = domainId('site');
const never = new AbortController().signal;
const until = 2_000_000;

let directory = '';
let network = new FakeNetwork();
const running: ContentStore[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dtkd-bundles-'));
  network = new FakeNetwork();
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((content) => content.stop()));
  await rm(directory, { recursive: true, force: true });
});

async function nodeWith(name: string): Promise<ContentStore> {
  const content = createContent({
    directory: join(directory, name),
    members: network.node(name),
    rows: memoryKv(),
    logger: silentLogger,
    now: () => 1_000_000,
    restMs: 5,
  });
  await content.start();
  running.push(content);
  return content;
}

function memberOf(of: string, name: string): Member {
  const member = network.node(of).byKey(site, keyOf(name, site));
  if (member === undefined) throw new Error(`${name} is no member`);
  return member;
}

describe('a bundle that is too large to be sealed', () => {
  test('is kept once for all targets, and fetched by those without being kept there', async () => {
    const starter = await nodeWith('s');
    const [one, two, other] = [await nodeWith('t1'), await nodeWith('t2'), await nodeWith('m')];
    const bundle = Uint8Array.from(randomBytes(300_000));
    const offers = [];
    for (const name of ['t1', 't2']) offers.push(await offerBundle(starter, bundle, { domain: site, key: keyOf(name, site) }, until));
    const [at] = offers;
    if (at === undefined) throw new Error('nothing was offered');
    expect(offers).toEqual([at, at]);
    expect(starter.counts()).toEqual({ files: 1, bytes: bundle.length });
    expect(hashHex(await fetchOffered(one, at, memberOf('t1', 's'), never))).toBe(at.digest);
    expect(hashHex(await fetchOffered(two, at, memberOf('t2', 's'), never))).toBe(at.digest);
    expect(one.counts()).toEqual({ files: 0, bytes: 0 });
    expect(await readdir(join(directory, 't1', 'partial'))).toEqual([]);
    await expect(fetchOffered(other, at, memberOf('m', 's'), never)).rejects.toMatchObject({ code: 'CONTENT_MISSING' });
  });

  test('takes no more of this node than a share for each starter', async () => {
    await nodeWith('s');
    const other = await nodeWith('o');
    const target = await nodeWith('t');
    network.node('s').handle(CONTENT_PROTOCOL, () => undefined);
    const stop = new AbortController();
    const wanted = (letter: string) => ({ digest: letter.repeat(64), size: 100_000 });
    const slow = ['a', 'b', 'c', 'd'].map((letter) => fetchOffered(target, wanted(letter), memberOf('t', 's'), stop.signal));
    const ends = Promise.allSettled(slow);
    await expect(fetchOffered(target, wanted('e'), memberOf('t', 's'), never)).rejects.toMatchObject({ code: 'TOO_MANY_REQUESTS' });
    const bundle = Uint8Array.from(randomBytes(100_000));
    const at = await offerBundle(other, bundle, { domain: site, key: keyOf('t', site) }, until);
    expect(hashHex(await fetchOffered(target, at, memberOf('t', 'o'), never))).toBe(at.digest);
    stop.abort();
    for (const end of await ends) expect(end).toMatchObject({ reason: { code: 'TIMEOUT' } });
    // there is room again
    await expect(fetchOffered(target, wanted('e'), memberOf('t', 's'), AbortSignal.abort())).rejects.toMatchObject({ code: 'TIMEOUT' });
  });

  test('is not waited for while the starter is away, or this node stops', async () => {
    const starter = await nodeWith('s');
    const target = await nodeWith('t');
    const at = await offerBundle(starter, randomBytes(100_000), { domain: site, key: keyOf('t', site) }, until);
    await expect(fetchOffered(target, at, memberOf('t', 's'), AbortSignal.abort())).rejects.toMatchObject({ code: 'TIMEOUT' });
    network.stop('s');
    await expect(fetchOffered(target, at, memberOf('t', 's'), never)).rejects.toMatchObject({ code: 'PEER_AWAY' });
  });
});
