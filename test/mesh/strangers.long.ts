import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Link } from '../../daemon/src/mesh/host/host.types.ts';
import { encodeFrame } from '../../protocol/encoding/frames.ts';
import { COMPARE_PROTOCOL } from '../../protocol/log/compare.ts';
import { FACTS_PROTOCOL, SYNC_PROTOCOL } from '../../protocol/log/sync.ts';
import { encodeJoinMessage } from '../../protocol/membership/join.ts';
import { parseToken } from '../../protocol/membership/token.ts';
import { encodeHello, HELLO_PROTOCOL } from '../../protocol/peers/hello.ts';
import { WHERE_PROTOCOL } from '../../protocol/peers/whereabouts.ts';
import { waitFor } from '../wait.ts';
import { Hosts, LIMIT_MS, LOCAL, type TestHost } from './host/hosts.ts';
import { type Site, Sites, settled } from './sites.ts';

const JOIN_PROTOCOL = '/dtkd/join/1.0.0';
const limit = (): AbortSignal => AbortSignal.timeout(LIMIT_MS);

let sites: Sites;
let hosts: Hosts;
let site: Site;
let stranger: TestHost;
beforeEach(async () => {
  sites = new Sites();
  hosts = new Hosts();
  site = await sites.start('a');
  await site.mesh.create('d');
  stranger = await hosts.create();
});
afterEach(async () => {
  await hosts.stop();
  await sites.stop();
});

function dial(): Promise<Link> {
  return stranger.host.dial({ host: LOCAL, port: site.view().port ?? 0 }, undefined, limit());
}

async function speak(link: Link, protocol: string, bytes: Uint8Array): Promise<Duplex> {
  const stream = await link.open(protocol, limit());
  stream.write(bytes);
  return stream;
}

/** The node still does its work: somebody joins it. */
async function works(): Promise<void> {
  const b = await sites.start(`b${sites.all.length}`);
  await b.mesh.join('d', site.address(), await site.token());
  await settled([site, b]);
}

describe('a stranger', () => {
  it('finds hello and join, and nothing else', async () => {
    const link = await dial();
    const own = [SYNC_PROTOCOL, FACTS_PROTOCOL, WHERE_PROTOCOL, COMPARE_PROTOCOL, '/dtkd/relay/1.0.0'];
    for (const protocol of [...own, '/meshsub/1.2.0', '/ipfs/id/1.0.0', '/test/echo/1.0.0']) {
      await expect(link.open(protocol, limit()), protocol).rejects.toMatchObject({ code: 'PEER_AWAY' });
    }
    for (const protocol of [HELLO_PROTOCOL, JOIN_PROTOCOL]) (await link.open(protocol, limit())).destroy();
    await works();
  });

  it.each([
    ['garbage', randomBytes(1_000)],
    ['a frame over the limit', Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1)],
    ['an empty frame', Uint8Array.of(0, 0, 0, 0)],
    ['something that is not a message', encodeFrame(Uint8Array.of(0xa1, 0x61, 0x78, 0x01))],
    ['bytes that are not CBOR', encodeFrame(randomBytes(200))],
  ])('that says %s is cut off', async (_, bytes) => {
    for (const protocol of [HELLO_PROTOCOL, JOIN_PROTOCOL]) {
      const link = await dial();
      const stream = await speak(link, protocol, bytes);
      stream.resume();
      if (!stream.closed) await once(stream, 'close').catch(() => {});
      link.abort('done');
    }
    const counters = site.mesh.counters();
    expect(counters['hellosRefused']).toBeGreaterThan(0);
    expect(counters['joinsRefused']).toBeGreaterThan(0);
    await works();
  });

  it('that says half a hello, or a chain that proves nothing, learns nothing', async () => {
    const chain = (domain: string) =>
      encodeFrame(
        encodeHello({
          type: 'chain',
          version: 1,
          domain: site.view().id,
          digest: domain,
          items: [Uint8Array.from(randomBytes(300))],
          more: false,
        }),
      );
    const link = await dial();
    const stream = await speak(link, HELLO_PROTOCOL, chain('00'.repeat(32)));
    const answer = Buffer.concat(await stream.toArray().catch(() => []));
    expect(answer.toString('latin1')).toContain('NOT_A_MEMBER');
    expect(answer.length).toBeLessThan(200);
    await waitFor(() => link.closed, { what: 'the connection to be closed' });
    await works();
  });

  it('that stalls or stays silent is cut off', async () => {
    const silent = await dial();
    const half = await dial();
    // The stranger itself would wait for ever.
    for (const link of [silent, half]) link.admit();
    const stalled = await speak(half, HELLO_PROTOCOL, Uint8Array.of(0, 0, 1));
    stalled.on('error', () => {}).resume();
    await waitFor(() => stalled.destroyed, { what: 'the stalled hello to be cut' });
    await waitFor(() => silent.closed, { what: 'the silent connection to be cut' });
    expect(site.mesh.counters()['strangersDropped']).toBe(1);
    await works();
  });

  it('that holds joins open keeps nobody out', async () => {
    for (let index = 0; index < 10; index += 1) {
      const link = await dial();
      for (let each = 0; each < 2; each += 1) (await speak(link, JOIN_PROTOCOL, Uint8Array.of(0))).on('error', () => {}).resume();
    }
    await works();
    expect(site.mesh.counters()).toMatchObject({ joinsAdmitted: 1, joinsRefused: 0 });
  });

  it('may send small frames only', async () => {
    const link = await dial();
    const stream = await speak(link, JOIN_PROTOCOL, Uint8Array.of(0, 1, 0, 0));
    stream.on('error', () => {}).resume();
    // At once, and not when the rest does not come.
    await waitFor(() => site.mesh.counters()['joinsRefused'] === 1, { what: 'the frame to be refused' });
  });

  it('cannot push its way in by joining in a flood', async () => {
    const token = parseToken(await site.token());
    const link = await dial();
    let refusals = 0;
    for (let round = 0; round < 100; round += 1) {
      const offer = encodeJoinMessage({
        type: 'offer',
        version: 1,
        domain: token.domain,
        grant: Uint8Array.from(randomBytes(100)),
        clock: Date.now(),
        nonce: Uint8Array.from(randomBytes(16)),
      });
      const stream = await speak(link, JOIN_PROTOCOL, encodeFrame(offer)).catch(() => undefined);
      if (stream === undefined) break;
      stream.end();
      const answer = Buffer.concat(await stream.toArray().catch(() => [])).toString('latin1');
      if (answer.includes('TOO_MANY_REQUESTS')) refusals += 1;
    }
    expect(refusals).toBeGreaterThan(10);
    expect(site.mesh.counters()['joinsRefused']).toBeGreaterThanOrEqual(100);
    expect(site.view().peers).toHaveLength(1);
  });
});
