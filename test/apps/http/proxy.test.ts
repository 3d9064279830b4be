import { connect, createServer, type Server, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { StreamChannel } from '../../../daemon/src/apps/channel/stream-channel.ts';
import { HTTP_LIMITS } from '../../../daemon/src/apps/http/limits.ts';
import { OriginPool } from '../../../daemon/src/apps/http/origin-pool.ts';
import { HttpProxy } from '../../../daemon/src/apps/http/proxy.ts';
import { waitFor } from '../../wait.ts';
import { streamPair } from '../memory-mesh.ts';
import { exchange, message, portOf } from '../site.ts';

/** A proxy in front of an origin that is a function of the bytes it has got so far. Time stands still until the test moves it. */
describe('the proxy', () => {
  let now: number;
  let proxy: HttpProxy;
  let pool: OriginPool;
  let server: Server;
  let port: number;
  let received: string[];
  /** How often the proxy has looked at its time limits. */
  let sweeps: number;
  let respond: (text: string, socket: StreamChannel) => void;
  const sockets = new Set<Socket>();

  const { sweepMs } = HTTP_LIMITS;
  beforeAll(() => {
    HTTP_LIMITS.sweepMs = 200;
  });
  afterAll(() => {
    HTTP_LIMITS.sweepMs = sweepMs;
  });
  beforeEach(async () => {
    now = 0;
    received = [];
    sweeps = 0;
    respond = (text, socket) => {
      if (text.endsWith('\r\n\r\n')) socket.write(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
    };
    pool = originPool();
    proxy = new HttpProxy(
      () => now,
      () => {
        sweeps += 1;
        return pool.size > 0;
      },
    );
    server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      proxy.serve(new StreamChannel(socket), { address: '127.0.0.1' }, () => ({ pool, allowCrossSite: false }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = portOf(server.address());
  });
  afterEach(() => {
    proxy.stop();
    pool.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  function pass(ms: number): true {
    now += ms;
    return true;
  }

  function originPool(): OriginPool {
    return new OriginPool(
      async () => {
        const [here, there] = streamPair();
        const far = new StreamChannel(there);
        const index = received.push('') - 1;
        far.attach({
          onData: (chunk) => {
            received[index] += chunk.toString('latin1');
            respond(received[index] ?? '', far);
          },
          onEnd: () => far.end(),
          onDrain: () => undefined,
          onClose: () => undefined,
        });
        far.resume();
        return new StreamChannel(here);
      },
      () => now,
    );
  }

  const chunkedPost = message('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked');

  it.each<[string, string]>([
    ['a bare LF after the size', `${chunkedPost}5\nhello\r\n0\r\n\r\n`],
    ['no CR LF after the data', `${chunkedPost}5\r\nhelloX0\r\n\r\n`],
    ['a size that is none', `${chunkedPost}zz\r\n`],
    ['a trailer that is no field', `${chunkedPost}5\r\nhello\r\n0\r\nno field\r\n\r\n`],
    ['a trailer with a blank before its colon', `${chunkedPost}5\r\nhello\r\n0\r\nX : y\r\n\r\n`],
    ['a quoted line break in an extension', `${chunkedPost}5;a="\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`],
  ])('refuses a body with %s, and the origin sees no complete request', async (_name, wire) => {
    respond = () => undefined;
    const { text } = await exchange(port, wire);
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(text).toContain('Connection: close\r\n');
    for (const bytes of received) {
      expect(bytes).not.toContain('smuggled');
      expect(bytes).not.toMatch(/0\r\n\r\n$/);
    }
  });

  it('wakes the daemon only while there are connections, of clients or to origins', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const sweep = () => vi.advanceTimersToNextTimer();
      expect(vi.getTimerCount()).toBe(0);
      const { text } = await exchange(port, message('GET / HTTP/1.1', 'Host: a', 'Connection: close'));
      expect(text).toMatch(/^HTTP\/1\.1 200 /);
      await waitFor(() => proxy.size === 0);
      sweep();
      expect([vi.getTimerCount(), pool.size]).toEqual([1, 1]);
      pool.close();
      await waitFor(() => pool.size === 0);
      sweep();
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('answers a broken head with 400 and takes no more of that connection', async () => {
    const { text } = await exchange(port, `${message('GET / HTTP/1.1', 'Host : a')}${message('GET /second HTTP/1.1', 'Host: a')}`);
    expect(text.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    expect(received).toEqual([]);
  });

  it('says at once that TLS is no HTTP, which has no end of a line for a head that is waited for', async () => {
    const { text } = await exchange(port, Buffer.from('16030100c8010000c40303', 'hex'));
    expect(text).toMatch(/^HTTP\/1\.1 400 [\s\S]*\r\n\r\nthis is not HTTP\n$/);
  });

  it('gives the origin exactly one request for each that it reads, whatever comes', async () => {
    const piece = fc.constantFrom(
      message('GET /a HTTP/1.1', 'Host: a'),
      message('POST /b HTTP/1.1', 'Host: a', 'Content-Length: 5'),
      message('POST /c HTTP/1.1', 'Host: a', 'Content-Length: 5', 'Content-Length: 6'),
      chunkedPost,
      'hello',
      '5\r\nhello\r\n',
      '0\r\n\r\n',
      '\r\n',
      '\n',
      '0',
      'GET /d HTTP/1.1\r\n',
      'Host: a\r\n',
      'Transfer-Encoding: chunked\r\n',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 8 }), async (pieces) => {
        received = [];
        // Answers each complete request, so that the next one is read; keeps count by its own reading.
        const counts = new WeakMap<StreamChannel, number>();
        respond = (text, socket) => {
          const complete = countRequests(text);
          for (let done = counts.get(socket) ?? 0; done < complete; done += 1) {
            socket.write(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
          }
          counts.set(socket, complete);
        };
        const { text } = await exchange(port, `${pieces.join('')}BROKEN\r\n\r\n`);
        const answered = text.match(/HTTP\/1\.1 200 /g)?.length ?? 0;
        const arrived = received.reduce((sum, bytes) => sum + countRequests(bytes), 0);
        pool.close();
        pool = originPool();
        return answered === arrived;
      }),
      { numRuns: 150 },
    );
  });

  it('closes a connection whose head does not come, with 408', async () => {
    const got = exchange(port, 'GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ');
    await waitFor(() => proxy.size === 1 && [...sockets].every((socket) => socket.bytesRead > 0), { what: 'the head' });
    await waitFor(() => pass(5_000) && proxy.size === 0, { what: 'the connection to close', pollMs: 100 });
    expect((await got).text).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('closes a connection that asks nothing', async () => {
    const got = exchange(port, '');
    await waitFor(() => proxy.size === 1, { what: 'the connection' });
    await waitFor(() => pass(HTTP_LIMITS.idleMs) && proxy.size === 0, { what: 'the connection to close', pollMs: 100 });
    expect(await got).toEqual({ text: '', aborted: false });
  });

  it('refuses a head that is too large', async () => {
    const { text } = await exchange(port, `GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(HTTP_LIMITS.headBytes)}`);
    expect(text).toMatch(/^HTTP\/1\.1 431 /);
  });

  it.each([
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok',
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
    'HTTP/2 200\r\n\r\n',
    'garbage\r\n\r\n',
    `HTTP/1.1 200 OK\r\nX: ${'y'.repeat(HTTP_LIMITS.headBytes)}\r\n\r\n`,
    'HTTP/1.1 100 C\r\n\r\n'.repeat(20),
  ])('answers 502 to an origin that speaks no clear HTTP (%#)', async (answer) => {
    respond = (_text, socket) => socket.write(Buffer.from(answer));
    const { text } = await exchange(port, message('GET / HTTP/1.1', 'Host: a', 'Connection: close'));
    expect(text.replace(/^(?:HTTP\/1\.1 100 C\r\n\r\n)*/, '')).toMatch(/^HTTP\/1\.1 502 /);
  });

  it('does not give one request the answer to another', async () => {
    respond = (text, socket) => {
      // A second response behind the first one, which nobody asked for.
      if (text.includes('/poison'))
        socket.write(Buffer.from(`${'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`));
      else socket.write(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood'));
    };
    await exchange(port, message('GET /poison HTTP/1.1', 'Host: a', 'Connection: close'));
    const { text } = await exchange(port, message('GET / HTTP/1.1', 'Host: a', 'Connection: close'));
    expect(text).toMatch(/good$/);
    expect(received).toHaveLength(2);
  });

  it('takes chunks apart for a client of HTTP/1.0', async () => {
    respond = (_text, socket) =>
      socket.write(Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n'));
    const { text, aborted } = await exchange(port, message('GET / HTTP/1.0', 'Host: a'));
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\nConnection: close\r\n\r\nabcde$/);
    expect(aborted).toBe(false);
  });

  it('answers early and closes, when the origin does not want the rest of a body', async () => {
    respond = (text, socket) => {
      if (text.includes('first part')) socket.write(Buffer.from('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n'));
    };
    const { text } = await exchange(port, `${message('POST / HTTP/1.1', 'Host: a', 'Content-Length: 1000')}first part`);
    expect(text).toMatch(/^HTTP\/1\.1 413 [^\r]*\r\nContent-Length: 0\r\nConnection: close\r\n/);
  });

  /** A client that sends and reads nothing; `take` reads all until the other side closes. */
  function sender(wire: string): { take(): Promise<{ bytes: number; aborted: boolean }> } {
    const socket = connect({ host: '127.0.0.1', port });
    let aborted = false;
    socket.pause();
    socket.on('error', () => {
      aborted = true;
    });
    socket.write(wire);
    return {
      take: () =>
        new Promise((resolve) => {
          let bytes = 0;
          socket.on('data', (chunk) => {
            bytes += chunk.length;
          });
          socket.on('close', () => resolve({ bytes, aborted }));
          socket.resume();
        }),
    };
  }

  it('asks the origin no further for a client that sends requests and reads no answers', async () => {
    const requests = 600;
    const body = Buffer.alloc(60 * 1024);
    const answer = Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`), body]);
    let answered = 0;
    respond = (text, socket) => {
      if (!text.endsWith('\r\n\r\n')) return;
      answered += 1;
      socket.write(Buffer.from(answer));
    };
    const client = sender(
      `${message('GET / HTTP/1.1', 'Host: a').repeat(requests - 1)}${message('GET / HTTP/1.1', 'Host: a', 'Connection: close')}`,
    );
    let seen = { answered: 0, sweeps: 0 };
    await waitFor(
      () => {
        if (answered > seen.answered) seen = { answered, sweeps };
        return answered > 0 && sweeps >= seen.sweeps + 2;
      },
      { what: 'the answers to come to rest' },
    );
    expect(answered).toBeLessThan(requests / 2);
    const { bytes, aborted } = await client.take();
    expect(answered).toBe(requests);
    expect(bytes).toBeGreaterThan(requests * body.length);
    expect(aborted).toBe(false);
  });

  it('gives up a client that sends requests and reads no answers for minutes', async () => {
    const answer = Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n'), Buffer.alloc(60_000)]);
    respond = (text, socket) => void (text.endsWith('\r\n\r\n') && socket.write(Buffer.from(answer)));
    const client = sender(message('GET / HTTP/1.1', 'Host: a').repeat(600));
    await waitFor(() => received.length > 0 && pass(HTTP_LIMITS.stallMs) && proxy.size === 0, { what: 'the end', pollMs: 100 });
    expect((await client.take()).aborted).toBe(true);
  });

  it('gives up a client that reads nothing, however much it sends meanwhile', async () => {
    const body = Buffer.alloc(24 * 1024 * 1024);
    const head = Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`);
    respond = (text, socket) => void (text.endsWith('\r\n\r\n') && socket.write(Buffer.concat([head, body])));
    const client = connect({ host: '127.0.0.1', port }).pause();
    client.on('error', () => undefined);
    client.write(message('POST / HTTP/1.1', 'Host: a', 'Content-Length: 1000000'));
    await waitFor(() => received.length === 1, { what: 'the request' });
    const step = () => client.write('x') && pass(HTTP_LIMITS.stallMs / 4);
    await waitFor(() => step() && proxy.size === 0, { what: 'the end', pollMs: 100 });
    client.destroy();
  });

  it('gives up a client of an upgraded connection that reads nothing of it, and none to which nothing is sent', async () => {
    const upgraded = 'HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n';
    const open = async (path: string) => {
      const client = connect({ host: '127.0.0.1', port }).pause();
      client.on('error', () => undefined);
      client.write(message(`GET ${path} HTTP/1.1`, 'Host: a', 'Connection: Upgrade', 'Upgrade: x'));
      await waitFor(() => received.some((text) => text.startsWith(`GET ${path} `)), { what: 'the request' });
      return client;
    };
    respond = (text, socket) => {
      if (!text.endsWith('\r\n\r\n')) return;
      socket.write(Buffer.from(upgraded));
      if (text.startsWith('GET /much ')) socket.write(Buffer.alloc(24 * 1024 * 1024));
    };
    const clients = [await open('/quiet'), await open('/much')];
    await waitFor(() => pass(HTTP_LIMITS.stallMs / 2) && proxy.size === 1, { what: 'the end of one', pollMs: 100 });
    const before = sweeps;
    await waitFor(() => pass(HTTP_LIMITS.stallMs) && sweeps >= before + 3, { what: 'the proxy to look at its limits', pollMs: 100 });
    expect(proxy.size).toBe(1);
    for (const client of clients) client.destroy();
  });

  it('leaves a reader that rests at the end of its answer the whole of it', async () => {
    const body = Buffer.alloc(24 * 1024 * 1024);
    const head = Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`);
    respond = (text, socket) => void (text.endsWith('\r\n\r\n') && socket.write(Buffer.concat([head, body])));
    const client = sender(message('GET / HTTP/1.1', 'Host: a', 'Connection: close'));
    await waitFor(() => received.length === 1, { what: 'the request' });
    const before = sweeps;
    let last = before;
    await waitFor(
      () => {
        if (sweeps > last) pass(HTTP_LIMITS.lingerMs);
        last = sweeps;
        return sweeps >= before + 4;
      },
      { what: 'the proxy to look at its limits' },
    );
    expect(proxy.size).toBe(1);
    const { bytes, aborted } = await client.take();
    expect(bytes).toBeGreaterThan(body.length);
    expect(aborted).toBe(false);
  });

  it('lets those in who ask something, however many others hold connections and ask nothing', async () => {
    const { connections } = HTTP_LIMITS;
    HTTP_LIMITS.connections = 4;
    try {
      respond = () => undefined;
      const busy = connect({ host: '127.0.0.1', port });
      let answer = '';
      busy.on('data', (chunk) => {
        answer += chunk.toString('latin1');
      });
      busy.write(message('GET /slow HTTP/1.1', 'Host: a'));
      await waitFor(() => received.length === 1);
      let closed = 0;
      const silent = Array.from({ length: 10 }, (_, index) => {
        const socket = connect({ host: '127.0.0.1', port });
        socket.on('error', () => undefined).on('close', () => (closed += 1));
        // some have begun a request
        if (index % 2 === 1) socket.write('GET / HT');
        return socket.resume();
      });
      await waitFor(() => closed === 7);
      respond = (_text, socket) => void socket.write(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
      expect((await exchange(port, message('GET / HTTP/1.1', 'Host: a', 'Connection: close'))).text).toMatch(/^HTTP\/1\.1 200 /);
      expect(proxy.refusedConnections).toBe(0);
      expect([busy.destroyed, answer]).toEqual([false, '']);
      for (const socket of [...silent, busy]) socket.destroy();
    } finally {
      HTTP_LIMITS.connections = connections;
    }
  });

  it('refuses connections while all that there are have requests under way', async () => {
    const { connections } = HTTP_LIMITS;
    HTTP_LIMITS.connections = 2;
    try {
      respond = () => undefined;
      const busy = [0, 1].map(() => connect({ host: '127.0.0.1', port }));
      for (const socket of busy) socket.write(message('GET /slow HTTP/1.1', 'Host: a'));
      await waitFor(() => received.length === 2);
      expect((await exchange(port, message('GET / HTTP/1.1', 'Host: a'))).text).toMatch(/^HTTP\/1\.1 503 /);
      for (const socket of busy) socket.destroy();
    } finally {
      HTTP_LIMITS.connections = connections;
    }
  });

  it('lets one of a member that holds more than half of all give way to others, and to none of its own', async () => {
    const { connections } = HTTP_LIMITS;
    HTTP_LIMITS.connections = 3;
    try {
      respond = () => undefined;
      const arrive = (node?: string) => {
        const [here, there] = streamPair();
        const far = new StreamChannel(there);
        let text = '';
        const sink = { onEnd: () => undefined, onDrain: () => undefined, onClose: () => undefined };
        far.attach({
          ...sink,
          onData: (chunk) => {
            text += chunk.toString('latin1');
          },
        });
        far.resume();
        const client = { address: '192.0.2.1', ...(node === undefined ? {} : { node }) };
        proxy.serve(new StreamChannel(here), client, () => ({ pool, allowCrossSite: false }));
        far.write(Buffer.from(message('GET /slow HTTP/1.1', 'Host: a')));
        return { far, text: () => text };
      };
      const greedy = [arrive('b'), arrive('b'), arrive('b')];
      await waitFor(() => received.length === 3);
      const own = arrive('b');
      await waitFor(() => own.text().startsWith('HTTP/1.1 503 '));
      const other = arrive();
      await waitFor(() => received.length === 4);
      expect(greedy.map(({ far }) => far.closed)).toEqual([true, false, false]);
      expect([other.text(), proxy.size, proxy.refusedConnections]).toEqual(['', 3, 1]);
    } finally {
      HTTP_LIMITS.connections = connections;
    }
  });

  it('drains: requests under way end, idle connections close', async () => {
    let answer: () => void = () => undefined;
    respond = (_text, socket) => {
      answer = () => socket.write(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
    };
    const idle = exchange(port, '');
    const busy = exchange(port, message('GET / HTTP/1.1', 'Host: a'));
    await waitFor(() => received.length === 1 && proxy.size === 2, { what: 'the request' });
    proxy.drain();
    answer();
    expect((await busy).text).toMatch(/Connection: close\r\n\r\nok$/);
    expect((await idle).text).toBe('');
  });
});

/** A reader of its own, for what the proxy wrote: which is always clear. */
function countRequests(text: string): number {
  let rest = text;
  let count = 0;
  for (;;) {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) return count;
    const head = rest.slice(0, end);
    rest = rest.slice(end + 4);
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (/transfer-encoding/i.test(head)) {
      const last = /(?:^|\r\n)0\r\n\r\n/.exec(rest);
      if (last === null) return count;
      rest = rest.slice(last.index + last[0].length);
    } else {
      if (rest.length < length) return count;
      rest = rest.slice(length);
    }
    count += 1;
  }
}
