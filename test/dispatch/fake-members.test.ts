import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { domainId, FakeNetwork, keyOf } from './fake-members.ts';

const PROTOCOL = '/test/1';
const site = domainId('site');
const soon = () => AbortSignal.timeout(60_000);

test('a stream carries bytes both ways, with half-close', async () => {
  const network = new FakeNetwork();
  const a = network.node('a');
  network.node('b').handle(PROTOCOL, async (stream, from) => {
    const heard = await text(stream);
    stream.end(`${from.node} said ${heard}`);
  });
  const stream = await a.open({ domain: site, key: keyOf('b', site) }, PROTOCOL, soon());
  stream.end('hello');
  expect(await text(stream)).toBe('a said hello');
});

test('a cut breaks streams, makes the other away, and can be healed', async () => {
  const network = new FakeNetwork();
  const a = network.node('a');
  network.node('b').handle(PROTOCOL, (stream) => void stream.resume());
  let changes = 0;
  a.onChange(() => {
    changes += 1;
  });
  const to = { domain: site, key: keyOf('b', site) };
  const stream = await a.open(to, PROTOCOL, soon());
  network.cut('a', 'b');
  await expect(text(stream)).rejects.toMatchObject({ code: 'PEER_AWAY' });
  expect(a.byNode('b')?.reach).toBe('away');
  await expect(a.open(to, PROTOCOL, soon())).rejects.toMatchObject({ code: 'PEER_AWAY' });
  network.heal('a', 'b');
  expect(a.byNode('b')?.reach).toBe('connected');
  expect(changes).toBe(2);
  (await a.open(to, PROTOCOL, soon())).destroy();
});

test('a stream breaks after so many bytes, and what came before arrives', async () => {
  const network = new FakeNetwork();
  const a = network.node('a');
  network.node('b').handle(PROTOCOL, (stream) => void stream.end('0123456789'));
  network.breaks = () => ({ back: 4 });
  const stream = await a.open({ domain: site, key: keyOf('b', site) }, PROTOCOL, soon());
  let heard = '';
  await expect(
    (async () => {
      for await (const chunk of stream) heard += String(chunk);
    })(),
  ).rejects.toMatchObject({ code: 'PEER_AWAY' });
  expect('0123'.startsWith(heard)).toBe(true);
});
