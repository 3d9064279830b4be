import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { waitFor } from '../../wait.ts';
import { Hosts, LIMIT_MS } from './hosts.ts';

const ECHO = '/test/echo/1.0.0';
const hosts = new Hosts();

afterEach(() => hosts.stop());

test('a stream carries many times its window in both directions, in small pieces and in large ones', async () => {
  const [a, b] = [await hosts.create(), await hosts.create()];
  await b.host.serve(ECHO, (stream) => void stream.pipe(stream), { maxStreams: 4 });
  const link = await hosts.connect(a, b);
  const stream = await link.open(ECHO, AbortSignal.timeout(LIMIT_MS));
  let received = 0;
  let sum = 0;
  stream.on('data', (chunk: Buffer) => {
    received += chunk.length;
    for (const byte of chunk) sum += byte;
  });
  let sent = 0;
  let expected = 0;
  for (const size of [1, 17, 1_000, 70_000, 300_000, 1_500_000, 5]) {
    for (let piece = 0; piece < 4; piece += 1) {
      const chunk = Buffer.alloc(size, (sent % 250) + 1);
      expected += size * ((sent % 250) + 1);
      sent += size;
      if (!stream.write(chunk)) await once(stream, 'drain');
    }
  }
  await waitFor(() => received === sent, { what: 'all bytes to come back' });
  expect(sum).toBe(expected);
  stream.destroy();
});

test('a reader that pauses stops its sender, and gets all once it reads', async () => {
  const [a, b] = [await hosts.create(), await hosts.create()];
  const total = 6_000_000;
  let received = 0;
  let resume: () => void = () => undefined;
  await b.host.serve(
    ECHO,
    (stream) => {
      stream.once('data', (chunk: Buffer) => {
        received += chunk.length;
        stream.pause();
        resume = () => stream.on('data', (more: Buffer) => (received += more.length)).resume();
      });
    },
    { maxStreams: 4 },
  );
  const link = await hosts.connect(a, b);
  const stream = await link.open(ECHO, AbortSignal.timeout(LIMIT_MS));
  let blocked = false;
  for (let sent = 0; sent < total; sent += 60_000) if (!stream.write(Buffer.alloc(60_000))) blocked = true;
  await waitFor(() => received > 0, { what: 'the first bytes' });
  expect(blocked).toBe(true);
  expect(received).toBeLessThan(total);
  resume();
  await waitFor(() => received === total, { what: 'all bytes' });
  stream.destroy();
});

test('what is written last before a host stops arrives, although writes of a turn are put together', async () => {
  const [a, b] = [await hosts.create(), await hosts.create()];
  const received: Buffer[] = [];
  await b.host.serve(ECHO, (stream) => void stream.on('data', (chunk: Buffer) => received.push(chunk)), { maxStreams: 4 });
  const link = await hosts.connect(a, b);
  const stream = await link.open(ECHO, AbortSignal.timeout(LIMIT_MS));
  for (let piece = 0; piece < 100; piece += 1) stream.write(Buffer.from([piece]));
  stream.end();
  await once(stream, 'finish');
  await a.host.stop();
  await waitFor(() => Buffer.concat(received).length === 100, { what: 'all bytes' });
  expect([...Buffer.concat(received)]).toEqual(Array.from({ length: 100 }, (_, piece) => piece));
});
