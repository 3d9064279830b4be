import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { waitFor } from '../../wait.ts';
import { Hosts, LIMIT_MS, LOCAL, type TestHost } from './hosts.ts';

let hosts: Hosts;
beforeEach(() => {
  hosts = new Hosts();
});
afterEach(() => hosts.stop());

/** Tells each end of the connection what hello would tell: protocols and addresses. */
async function acquaint(a: TestHost, b: TestHost): Promise<void> {
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    const link = one.host.links().find(({ peer }) => peer === other.host.key);
    await link?.announce(other.host.protocols(), [{ host: LOCAL, port: other.port }]);
  }
}

describe('the routing table', () => {
  it('tells where a member is that is connected with somebody else', async () => {
    const [a, b, c] = [await hosts.create(), await hosts.create(), await hosts.create()];
    await hosts.connect(a, b);
    await hosts.connect(c, b);
    for (const { host } of [a, b, c]) await host.startDiscovery({ mdns: false }, () => {});
    await acquaint(a, b);
    await acquaint(c, b);
    const found = await waitFor(
      async () => {
        const addresses = await a.host.findPeer(c.host.key, AbortSignal.timeout(LIMIT_MS));
        return addresses.length > 0 && addresses;
      },
      { what: 'the member to be found' },
    );
    expect(found).toContainEqual({ host: LOCAL, port: c.port });
    for (const { host } of [a, b, c]) await host.stopDiscovery();
    expect(await a.host.findPeer(c.host.key, AbortSignal.timeout(LIMIT_MS))).toEqual([]);
    // It can be started again.
    await a.host.startDiscovery({ mdns: false }, () => {});
  });

  it('keeps nothing for others', async () => {
    const [a, b] = [await hosts.create(), await hosts.create()];
    const link = await hosts.connect(b, a);
    await a.host.startDiscovery({ mdns: false }, () => {});
    const kad = a.host.protocols().find((protocol) => protocol.includes('/kad/')) ?? '';
    // A message of that type about a key: a length, field 1 the type, field 2 the key.
    const isAnswered = async (type: number): Promise<boolean> => {
      const stream = await link.open(kad, AbortSignal.timeout(LIMIT_MS));
      const key = Buffer.from(`/ipfs/${'k'.repeat(32)}`);
      stream.write(Buffer.concat([Buffer.from([4 + key.length, 0x08, type, 0x12, key.length]), key]));
      const answer = await Promise.race([once(stream, 'data').catch(() => undefined), once(stream, 'close').then(() => undefined)]);
      stream.destroy();
      return answer !== undefined;
    };
    const [PUT_VALUE, GET_VALUE, ADD_PROVIDER, GET_PROVIDERS, FIND_NODE] = [0, 1, 2, 3, 4] as const;
    for (const type of [PUT_VALUE, GET_VALUE, ADD_PROVIDER, GET_PROVIDERS]) expect(await isAnswered(type), `type ${type}`).toBe(false);
    expect(await isAnswered(FIND_NODE)).toBe(true);
  });

  it('is closed to strangers', async () => {
    const [a, b] = [await hosts.create(), await hosts.create()];
    await a.host.startDiscovery({ mdns: false }, () => {});
    const link = await b.host.dial({ host: LOCAL, port: a.port }, undefined, AbortSignal.timeout(LIMIT_MS));
    const kad = a.host.protocols().find((protocol) => protocol.includes('/kad/')) ?? '';
    await expect(link.open(kad, AbortSignal.timeout(LIMIT_MS))).rejects.toMatchObject({ code: 'PEER_AWAY' });
  });
});
