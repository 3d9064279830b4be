import { EventEmitter, once } from 'node:events';
import { createServer, IncomingMessage, Server, ServerResponse } from 'node:http';
import { type AddressInfo, connect, Socket } from 'node:net';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { serveInTurn } from '../../../daemon/src/api/listening/pipelining.ts';
import { allowRest, limitReaders } from '../../../daemon/src/api/listening/reader-patience.ts';
import { waitFor } from '../../wait.ts';

const KIB = 1024;
const LIMITS = { stallMs: 1_000, sweepMs: 100 };

describe('a client that is sent something', () => {
  /** A connection as the look at it sees it. */
  class Connection extends Socket {
    waits = 0;
    sent = 0;
    cut = false;
    constructor() {
      super();
      Object.defineProperties(this, { writableLength: { get: () => this.waits }, bytesWritten: { get: () => this.sent } });
    }
    override destroy(): this {
      this.cut = true;
      return this;
    }
    /** Gives it more data, of which it takes this much. */
    pass({ more = 0, taken = 0 }: { more?: number; taken?: number }): void {
      this.sent += more;
      this.waits += more - taken;
      vi.advanceTimersByTime(900);
    }
  }

  let socket: Connection;
  let outgoing: ServerResponse;
  let answers: [Socket, ServerResponse][];
  let server: Server;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    socket = new Connection();
    outgoing = new ServerResponse(new IncomingMessage(socket));
    answers = [[socket, outgoing]];
    server = new Server();
    limitReaders(server, () => answers, LIMITS);
    server.emit('request');
  });
  afterEach(() => void vi.useRealTimers());

  it('is cut when it takes nothing of it, and not while there is nothing', () => {
    for (let index = 0; index < 10; index += 1) socket.pass({});
    socket.pass({ more: 10 * KIB });
    expect(socket.cut).toBe(false);
    socket.pass({});
    expect(socket.cut).toBe(true);
  });

  it('may take it slowly, and has its time for each part of a long write', () => {
    socket.pass({ more: 100 * KIB });
    for (let index = 0; index < 10; index += 1) socket.pass({ taken: KIB });
    socket.pass({ more: 900 * KIB, taken: 10 * KIB });
    for (let index = 0; index < 3; index += 1) socket.pass({});
    expect(socket.cut).toBe(false);
    socket.pass({});
    expect(socket.cut).toBe(true);
  });

  it('may rest where the answer allows it', () => {
    allowRest(outgoing);
    for (let index = 0; index < 10; index += 1) socket.pass({ more: KIB });
    expect(socket.cut).toBe(false);
  });

  it('is looked at only while something is answered to which that applies', () => {
    expect(vi.getTimerCount()).toBe(1);
    answers = [];
    vi.advanceTimersByTime(LIMITS.sweepMs);
    expect(vi.getTimerCount()).toBe(0);
    server.emit('request');
    expect(vi.getTimerCount()).toBe(1);
    server.emit('close');
    expect(vi.getTimerCount()).toBe(0);
  });
});

it('cuts a real connection on which nothing is read', async () => {
  const server = createServer();
  const cut = new EventEmitter();
  const answering = serveInTurn(server, (incoming, outgoing) => {
    outgoing.once('close', () => cut.emit(incoming.url ?? ''));
    // more than the system takes for a client that reads nothing
    if (incoming.url === '/long') Readable.from(Array.from({ length: 512 }, () => Buffer.alloc(64 * KIB))).pipe(outgoing);
    else outgoing.end('short');
  });
  limitReaders(server, answering, { stallMs: 50, sweepMs: 10 });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sockets = ['/long', '/short'].map((path) => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').pause();
    socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
    return socket;
  });
  await once(cut, '/long');
  await waitFor(async () => new Promise<boolean>((resolve) => server.getConnections((_error, count) => resolve(count === 1))));
  for (const socket of sockets) socket.destroy();
  server.close();
});
