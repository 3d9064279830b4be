import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { allowLong, limitBodies } from '../../../daemon/src/api/request/body-patience.ts';
import { waitFor } from '../../wait.ts';

/** What a short body has in all; a long one has many times as much for each piece, so that no pause of a busy machine is long enough. */
const BODY_MS = 150;
const STALL_MS = 5_000;

let server: Server;
let sizes: number[] = [];

beforeEach(async () => {
  sizes = [];
  server = createServer({ requestTimeout: 0 }, async (request, response) => {
    if (request.url === '/long') allowLong(request);
    let size = 0;
    try {
      for await (const chunk of request) size += chunk.length;
      sizes.push(size);
      response.end('ok');
    } catch {
      // It was given up.
    }
  });
  limitBodies(server, { bodyMs: BODY_MS, stallBytes: 64, stallMs: STALL_MS, sweepMs: 10 });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

async function begin(path: string): Promise<{ socket: Socket; heard: () => string; closed: () => boolean }> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  let heard = '';
  let closed = false;
  socket.on('data', (chunk) => {
    heard += chunk;
  });
  socket.on('close', () => {
    closed = true;
  });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n`);
  return { socket, heard: () => heard, closed: () => closed };
}

test('a body that does not come whole in time ends its request with 408, however it drips', async () => {
  const { socket, heard, closed } = await begin('/');
  const drip = setInterval(() => socket.write('1\r\nx\r\n'), 20);
  await waitFor(closed);
  clearInterval(drip);
  expect(heard()).toMatch(/^HTTP\/1\.1 408 /);
});

test('one that may be long goes on as long as it gets on, and is ended when it does not', async () => {
  const { socket, heard, closed } = await begin('/long');
  const drip = setInterval(() => socket.write('1\r\nx\r\n'), 20);
  const began = performance.now();
  // Well beyond the time of a short one.
  await waitFor(() => performance.now() - began > 3 * BODY_MS);
  clearInterval(drip);
  socket.write('0\r\n\r\n');
  await waitFor(() => heard().includes('200 OK'));
  expect(sizes).toHaveLength(1);
  expect(closed()).toBe(false);
  const stalled = await begin('/long');
  // a byte now and then is not getting on
  const slow = setInterval(() => stalled.socket.write('1\r\nx\r\n'), STALL_MS / 5);
  await waitFor(stalled.closed).finally(() => clearInterval(slow));
  expect(stalled.heard()).toMatch(/^HTTP\/1\.1 408 /);
});

test('there is a timer only while a body is coming', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  try {
    const { socket, heard } = await begin('/');
    await waitFor(() => vi.getTimerCount() === 1);
    socket.write('0\r\n\r\n');
    await waitFor(() => heard().includes('200 OK'));
    vi.advanceTimersToNextTimer();
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});
