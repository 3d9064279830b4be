import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Link } from '../../../daemon/src/mesh/host/host.types.ts';
import { waitFor } from '../../wait.ts';
import { collect, Hosts, LIMIT_MS, LOCAL } from './hosts.ts';

const ECHO = '/test/echo/1.0.0';
const OPEN = '/test/open/1.0.0';
const echo = (stream: Duplex): void => void stream.pipe(stream);
const limit = (): AbortSignal => AbortSignal.timeout(LIMIT_MS);

let hosts: Hosts;
beforeEach(() => {
  hosts = new Hosts();
});
afterEach(() => hosts.stop());

describe('the gate', () => {
  it('lets a stranger use what is open and nothing else', async () => {
    const [a, b] = [await hosts.create(), await hosts.create()];
    await a.host.serve(OPEN, echo, { strangers: true, maxStreams: 4 });
    await a.host.serve(ECHO, echo, { maxStreams: 4 });
    const link = await b.host.dial({ host: LOCAL, port: a.port }, undefined, limit());
    const stream = await link.open(OPEN, limit());
    stream.end('hello');
    expect((await collect(stream)).toString()).toBe('hello');
    const known = a.host.protocols();
    expect(known.length).toBeGreaterThan(4);
    for (const protocol of [...known.filter((name) => name !== OPEN), '/ipfs/id/1.0.0', '/ipfs/ping/1.0.0']) {
      await expect(link.open(protocol, limit()), protocol).rejects.toMatchObject({ code: 'PEER_AWAY' });
    }
  });

  it('stands before protocols registered later, and opens when the link is admitted', async () => {
    const [a, b] = [await hosts.create(), await hosts.create()];
    const link = await b.host.dial({ host: LOCAL, port: a.port }, undefined, limit());
    await a.host.serve(ECHO, echo, { maxStreams: 4 });
    await expect(link.open(ECHO, limit())).rejects.toMatchObject({ code: 'PEER_AWAY' });
    a.host.links()[0]?.admit();
    const stream = await link.open(ECHO, limit());
    stream.end('now');
    expect((await collect(stream)).toString()).toBe('now');
  });

  it('cuts a stranger that opens many streams', async () => {
    const [a, b] = [await hosts.create(), await hosts.create()];
    await a.host.serve(OPEN, () => {}, { strangers: true, maxStreams: 100 });
    const link = await b.host.dial({ host: LOCAL, port: a.port }, undefined, limit());
    // libp2p itself cuts those that arrive before the connection is ready on the other side
    await waitFor(() => a.host.links().length === 1, { what: 'the connection to stand on both sides' });
    for (let index = 0; index < 20; index += 1) link.open(OPEN, limit()).catch(() => {});
    await waitFor(() => link.closed, { what: 'the connection to be cut' });
    expect(a.host.counters()['streamsRefused']).toBeGreaterThan(0);
  });

  it('survives garbage instead of a handshake', async () => {
    const [a, b] = [await hosts.create(), await hosts.create()];
    for (const bytes of [randomBytes(4_096), Buffer.alloc(70_000), Buffer.from('GET / HTTP/1.1\r\n\r\n')]) {
      const socket = connect(a.port, LOCAL);
      socket.on('error', () => {});
      const closed = new Promise((resolve) => socket.on('close', resolve));
      socket.end(bytes);
      await closed;
    }
    await hosts.connect(b, a);
  });

  it('does not relay for or to a stranger', async () => {
    const [a, b, c] = [await hosts.create(), await hosts.create(), await hosts.create()];
    await hosts.connect(a, b);
    await c.host.dial({ host: LOCAL, port: b.port }, undefined, limit());
    await expect(a.host.dialThrough(b.host.key, c.host.key, limit())).rejects.toMatchObject({ code: 'PEER_AWAY' });
    await expect(c.host.dialThrough(b.host.key, a.host.key, limit())).rejects.toMatchObject({ code: 'PEER_AWAY' });
  });
});

describe('dialling', () => {
  it.each(['fe80::1', 'fe80::1%eth0'])('says that %s cannot be dialled, with or without an interface', async (host) => {
    const { host: dialler } = await hosts.create();
    await expect(dialler.dial({ host, port: 7701 }, undefined, limit())).rejects.toMatchObject({ code: 'ADDRESS_UNREACHABLE' });
  });

  it('tells nobody there from somebody else there', async () => {
    const [a, b] = [await hosts.create(), await hosts.create()];
    const free = createServer().listen(0, LOCAL);
    await once(free, 'listening');
    const address = free.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    await new Promise((resolve) => free.close(resolve));
    await expect(a.host.dial({ host: LOCAL, port }, undefined, limit())).rejects.toMatchObject({ code: 'ADDRESS_UNREACHABLE' });
    const silent = createServer((socket) => socket.on('error', () => {}).resume()).listen(port, LOCAL);
    await once(silent, 'listening');
    await expect(a.host.dial({ host: LOCAL, port }, undefined, AbortSignal.timeout(2_000))).rejects.toMatchObject({ code: 'NOT_DTKD' });
    await new Promise((resolve) => silent.close(resolve));
    const other = hosts.all[1]?.host.key;
    await expect(b.host.dial({ host: LOCAL, port: a.port }, other, limit())).rejects.toMatchObject({ code: 'NOT_DTKD' });
  });

  it('leaves the connection alone when the time limit of the dial passes', async () => {
    const [a, b] = [await hosts.create(), await hosts.create()];
    const dial = new AbortController();
    const link = await a.host.dial({ host: LOCAL, port: b.port }, b.host.key, dial.signal);
    dial.abort();
    await link.ping(LIMIT_MS);
    expect(link.closed).toBe(false);
  });

  it('refuses a port in use', async () => {
    const [a, b] = [await hosts.create(), await hosts.create()];
    await expect(b.host.listen([LOCAL], a.port)).rejects.toMatchObject({ code: 'PORT_IN_USE' });
  });

  it('hands TLS on the same port to the fast lane', async () => {
    const a = await hosts.create();
    const socket = connect(a.port, LOCAL);
    socket.write(Buffer.from([0x16, 0x03, 0x01, 0x00]));
    await once(socket, 'close');
    expect(a.tls).toBe(1);
  });
});

describe('streams', () => {
  async function pair(handler: (stream: Duplex, link: Link) => void): Promise<Link> {
    const [a, b] = [await hosts.create(), await hosts.create()];
    await b.host.serve(ECHO, handler, { maxStreams: 64 });
    return hosts.connect(a, b);
  }

  it('carry much data both ways at once, and end each way on its own', async () => {
    const link = await pair(echo);
    const data = randomBytes(8 * 1024 * 1024);
    const stream = await link.open(ECHO, limit());
    stream.end(data);
    expect((await collect(stream)).equals(data)).toBe(true);
  });

  it('stop a writer while the reader is slow, with little in between', async () => {
    let reader: Duplex | undefined;
    const link = await pair((stream) => {
      reader = stream;
    });
    const stream = await link.open(ECHO, limit());
    const chunk = Buffer.alloc(64 * 1024);
    let written = 0;
    let full = false;
    const write = (): void => {
      while (stream.write(chunk)) written += chunk.length;
      written += chunk.length;
      full = true;
      stream.once('drain', () => {
        full = false;
        write();
      });
    };
    write();
    // Full, and still full after the event loop has turned many times: nothing moves.
    let last = -1;
    await waitFor(
      () => {
        const same = full && written === last;
        last = written;
        return same;
      },
      { what: 'the writer to be stopped', pollMs: 200 },
    );
    expect(written).toBeLessThan(4 * 1024 * 1024);
    const before = written;
    reader?.resume();
    await waitFor(() => written > before + 8 * 1024 * 1024, { what: 'the writer to go on' });
    stream.destroy();
  });

  it('report a lost connection as an error, never as an end', async () => {
    let remote: Link | undefined;
    const link = await pair((stream, from) => {
      remote = from;
      stream.write('half of it');
    });
    const stream = await link.open(ECHO, limit());
    await once(stream, 'readable');
    remote?.abort('test');
    await expect(collect(stream)).rejects.toThrow();
    expect(stream.readableEnded).toBe(false);
  });

  it('pass an abort to the other side', async () => {
    let seen: Error | undefined;
    const link = await pair((stream) => {
      stream.on('error', (error) => {
        seen = error;
      });
      stream.resume();
    });
    const stream = await link.open(ECHO, limit());
    stream.write('x');
    await waitFor(() => stream.writableLength === 0, { what: 'the byte to be sent' });
    stream.destroy();
    await waitFor(() => seen, { what: 'the other side to see the abort' });
  });
});

describe('circuits', () => {
  it('connect members through a third, carry data, and end with the relay', async () => {
    const [a, b, c] = [await hosts.create(), await hosts.create(), await hosts.create()];
    await c.host.serve(ECHO, echo, { maxStreams: 4 });
    await hosts.connect(a, b);
    await hosts.connect(c, b);
    const link = await a.host.dialThrough(b.host.key, c.host.key, limit());
    expect(link).toMatchObject({ peer: c.host.key, via: b.host.key, remote: undefined });
    await hosts.admit(a, c, link);
    const data = randomBytes(2 * 1024 * 1024);
    const stream = await link.open(ECHO, limit());
    stream.end(data);
    expect((await collect(stream)).equals(data)).toBe(true);
    // The relay hears that c is removed and cuts it off: the circuit goes with the connection.
    for (const toC of b.host.links()) if (toC.peer === c.host.key) toC.abort('removed');
    await waitFor(() => link.closed, { what: 'the circuit to be cut' });
  });
});

describe('gossip', () => {
  it('reaches members over several hops', async () => {
    const made = [await hosts.create(), await hosts.create(), await hosts.create(), await hosts.create()];
    for (const [index, next] of made.slice(1).entries()) {
      const previous = made[index];
      if (previous !== undefined) await hosts.connect(previous, next);
    }
    const [first, ...others] = made;
    let round = 0;
    await waitFor(
      async () => {
        round += 1;
        await first?.host.publish(Buffer.from(`round ${round}`));
        return others.every(({ gossip }) => gossip.length > 0);
      },
      { what: 'a message to reach all', pollMs: 100 },
    );
  });
});
