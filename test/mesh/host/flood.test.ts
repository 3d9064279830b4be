import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Link } from '../../../daemon/src/mesh/host/host.types.ts';
import { waitFor } from '../../wait.ts';
import { Hosts, LIMIT_MS, LOCAL, type TestHost } from './hosts.ts';

const limit = (): AbortSignal => AbortSignal.timeout(LIMIT_MS);
/** Another address of this machine, from which the flood comes. */
const ELSEWHERE = '127.0.0.2';
/** More than all pending connections together. */
const ROUNDS = 3;
const EACH = 60;

let hosts: Hosts;
let sockets: Socket[];
beforeEach(() => {
  hosts = new Hosts();
  sockets = [];
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await hosts.stop();
});

/** Opens connections that send this much and no more. */
async function flood(port: number, first: Uint8Array): Promise<void> {
  const made = Array.from({ length: EACH }, () => connect({ host: LOCAL, port, localAddress: ELSEWHERE }));
  sockets.push(...made);
  await Promise.all(
    made.map(async (socket) => {
      socket.on('error', () => {});
      await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve));
      if (first.length > 0) socket.write(first);
    }),
  );
}

describe('a flood from one address', () => {
  it.each([
    ['silent connections', new Uint8Array(0)],
    ['half handshakes', Uint8Array.of(0x13)],
  ])('of %s does not keep others out', async (_, first) => {
    const [a, b] = [await hosts.create(), await hosts.create()];
    for (let round = 0; round < ROUNDS; round += 1) await flood(a.port, first);
    const link = await b.host.dial({ host: LOCAL, port: a.port }, a.host.key, limit());
    await link.ping(LIMIT_MS);
  });

  it('of finished handshakes pushes out its own', async () => {
    const a = await hosts.create();
    const others: TestHost[] = [];
    for (let index = 0; index < 3; index += 1) others.push(await hosts.create());
    const links: Link[] = [];
    const open = async (host: TestHost): Promise<Link> => host.host.dial({ host: LOCAL, port: a.port }, a.host.key, limit());
    for (let index = 0; index < 80; index += 1) {
      const host = others[index % others.length];
      if (host !== undefined) links.push(await open(host));
    }
    await waitFor(() => a.host.links().length <= 64, { what: 'strangers to be few' });
    expect(a.host.counters()['strangersDropped']).toBeGreaterThan(0);
    expect(links.at(-1)?.closed).toBe(false);
  });
});
