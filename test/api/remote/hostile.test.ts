import type { Duplex } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAX_LISTS_PER_PEER, MAX_REQUESTS_PER_PEER } from '../../../daemon/src/api/remote/limits.ts';
import { createRemoteApiServer } from '../../../daemon/src/api/remote/serving.ts';
import { FrameReader } from '../../../daemon/src/streams/frame-reader.ts';
import { decodeCbor, encodeCbor } from '../../../protocol/encoding/cbor.ts';
import { encodeFrame } from '../../../protocol/encoding/frames.ts';
import { type RemoteRequestHead, type RemoteResponseHead, remoteResponseHead } from '../../../protocol/peers/remote.ts';
import { streamPair } from '../../apps/memory-mesh.ts';
import { silentLogger } from '../../silent-logger.ts';
import { waitFor } from '../../wait.ts';
import { operatorAccess } from '../fake-access.ts';
import { DOMAIN, type Handler, keyOf, startNode, type TestNode, Wires } from './pair.ts';

const SERVICES = '/api/v1/namespaces/default/services';

const head = (changes: Partial<RemoteRequestHead> = {}): RemoteRequestHead => ({
  version: 1,
  user: { name: 'ops', uid: 'u1' },
  method: 'GET',
  path: SERVICES,
  accept: '',
  contentType: '',
  bodyBytes: 0,
  ...changes,
});

const responseHead = (changes: Partial<RemoteResponseHead> = {}): RemoteResponseHead => ({
  version: 1,
  status: 200,
  contentType: 'application/json',
  warnings: [],
  ...changes,
});

/** What comes back on a stream: status and text; rejects if it is cut. */
async function answerOn(stream: Duplex): Promise<{ status: number; text: string }> {
  const reader = new FrameReader(stream, 65_536);
  const first = await reader.next(60_000);
  if (first === undefined) throw new Error('no answer');
  const { status } = decodeCbor(first, remoteResponseHead, 'the head');
  const parts: Uint8Array[] = [];
  for (let part = await reader.next(60_000); part !== undefined; part = await reader.next(60_000)) parts.push(part);
  return { status, text: Buffer.concat(parts).toString() };
}

describe('what members send', () => {
  const wires = new Wires(['node0', 'node1']);
  let node: TestNode;

  beforeAll(async () => {
    node = await startNode(wires, 'node0');
    node.access.grant({ user: 'ops@node1', verbs: ['CREATE', 'READ'], plural: 'services' });
  });

  afterAll(() => node.api.close());

  function open(from = 'node1'): Duplex {
    const [here, there] = streamPair();
    node.served.serve(there, { domain: DOMAIN, peer: keyOf(from) });
    return here;
  }

  it('gets no more in one page than is put together for it, however much it asks for', async () => {
    await node.api.store.transact(async (tx) => {
      for (let index = 0; index < 2_001; index++) {
        const name = `s${index}`;
        const metadata = { name, namespace: 'node0', uid: '', resourceVersion: '', generation: 1, creationTimestamp: '' };
        await tx.put({ apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ port: 80 }] } });
      }
    });
    const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';
    for (const [path, accept] of [
      [`${SERVICES}?limit=999999999`, 'application/json'],
      [SERVICES, table],
    ] as const) {
      const stream = open();
      stream.end(encodeFrame(encodeCbor(head({ path, accept }))));
      const { items, rows, metadata } = JSON.parse((await answerOn(stream)).text);
      expect(items ?? rows).toHaveLength(2_000);
      expect(metadata.continue).toBeDefined();
    }
    await node.api.store.transact(async (tx) => {
      for (let index = 0; index < 2_001; index++) await tx.delete({ group: '', plural: 'services', namespace: 'node0', name: `s${index}` });
    });
  });

  it.each([
    ['nothing', (stream: Duplex) => stream.end()],
    ['a half frame', (stream: Duplex) => stream.end(encodeFrame(encodeCbor(head())).subarray(0, 20))],
    ['an empty frame', (stream: Duplex) => stream.end(Buffer.alloc(4))],
    ['noise', (stream: Duplex) => stream.end(encodeFrame(Buffer.from('GET / HTTP/1.1\r\n\r\n')))],
    ['another version', (stream: Duplex) => stream.end(encodeFrame(encodeCbor({ ...head(), version: 2 })))],
    ['a path elsewhere', (stream: Duplex) => stream.end(encodeFrame(encodeCbor(head({ path: '/metrics' }))))],
    ['a user that is no name', (stream: Duplex) => stream.end(encodeFrame(encodeCbor({ ...head(), user: { name: '../x', uid: 'u' } })))],
    ['a body that is too short', (stream: Duplex) => stream.end(encodeFrame(encodeCbor(head({ method: 'POST', bodyBytes: 10 }))))],
    [
      'a body that is too long',
      (stream: Duplex) =>
        stream.end(Buffer.concat([encodeFrame(encodeCbor(head({ method: 'POST', bodyBytes: 2 }))), encodeFrame(Buffer.alloc(3))])),
    ],
    ['a body beyond the limit', (stream: Duplex) => stream.end(encodeFrame(encodeCbor({ ...head(), bodyBytes: 2 ** 30 })))],
  ])('%s is refused as a bad request', async (_what, send) => {
    const stream = open();
    send(stream);
    expect(await answerOn(stream)).toMatchObject({ status: 400, text: expect.stringContaining('"kind":"Status"') });
  });

  it('a frame beyond the limit is refused before it is there', async () => {
    const stream = open();
    stream.write(Buffer.from([0x7f, 0xff, 0xff, 0xff]));
    expect((await answerOn(stream)).status).toBe(413);
  });

  it('header texts cannot smuggle headers', async () => {
    const stream = open();
    stream.end(encodeFrame(encodeCbor(head({ accept: 'application/json\r\nauthorization: Bearer the-operator-token' }))));
    expect((await answerOn(stream)).status).toBe(400);
  });

  it('whoever is no member is told so', async () => {
    const stream = open('stranger');
    stream.end(encodeFrame(encodeCbor(head())));
    expect(await answerOn(stream)).toMatchObject({ status: 403, text: expect.stringContaining('NOT_A_MEMBER') });
  });

  it('too many requests at once are refused, and the next after them are not', async () => {
    const held = Array.from({ length: MAX_REQUESTS_PER_PEER }, () => open());
    const refused = open();
    expect((await answerOn(refused)).status).toBe(429);
    for (const stream of held) stream.destroy();
    await waitFor(async () => {
      const stream = open();
      stream.end(encodeFrame(encodeCbor(head())));
      return (await answerOn(stream)).status === 200;
    });
  });

  it('however many members hold as many requests as they get, there is room for another', async () => {
    const held = Array.from({ length: 10 }, (_, member) =>
      Array.from({ length: MAX_REQUESTS_PER_PEER }, () => open(`greedy${member}`)),
    ).flat();
    const stream = open();
    stream.end(encodeFrame(encodeCbor(head())));
    expect((await answerOn(stream)).status).toBe(200);
    for (const one of held) one.destroy();
  });

  it('a member that goes away ends its watch', async () => {
    const stream = open();
    stream.end(encodeFrame(encodeCbor(head({ path: `${SERVICES}?watch=true` }))));
    const reader = new FrameReader(stream, 65_536);
    expect(await reader.next()).toBeDefined();
    const before = node.served.open();
    stream.destroy();
    await waitFor(() => node.served.open() < before);
  });

  it('lists of one member are made a few at a time, and its other requests do not wait for them', async () => {
    const asked: string[] = [];
    const held = Promise.withResolvers<Response>();
    const served = createRemoteApiServer({
      fetch: (request) => {
        const { pathname } = new URL(request.url);
        asked.push(pathname);
        return pathname.endsWith('/one') ? new Response('{}') : held.promise.then((answer) => answer.clone());
      },
      access: operatorAccess(''),
      namespaceOf: () => 'node1',
      logger: silentLogger,
    });
    const say = (path: string) => {
      const [here, there] = streamPair();
      served.serve(there, { domain: DOMAIN, peer: keyOf('node1') });
      here.end(encodeFrame(encodeCbor(head({ path }))));
      return here;
    };
    const streams = Array.from({ length: MAX_LISTS_PER_PEER + 4 }, () => say(`${SERVICES}?limit=500`));
    const one = say(`${SERVICES}/one`);
    expect((await answerOn(one)).status).toBe(200);
    expect(asked.filter((path) => path === SERVICES)).toHaveLength(MAX_LISTS_PER_PEER);
    // a client that is gone waits no longer
    const open = served.open();
    streams.at(-1)?.destroy();
    await waitFor(() => served.open() < open);
    held.resolve(new Response('{"items":[]}'));
    expect((await Promise.all(streams.slice(0, -1).map(answerOn))).every(({ status }) => status === 200)).toBe(true);
    expect(asked.filter((path) => path === SERVICES)).toHaveLength(MAX_LISTS_PER_PEER + 3);
    served.close();
  });

  it('an answer waits for its reader', async () => {
    let made = 0;
    const served = createRemoteApiServer({
      fetch: () =>
        new Response(
          new ReadableStream({
            pull(controller) {
              made += 1;
              controller.enqueue(new Uint8Array(64 * 1024));
            },
          }),
        ),
      access: operatorAccess(''),
      namespaceOf: () => 'node1',
      logger: silentLogger,
    });
    const [here, there] = streamPair();
    served.serve(there, { domain: DOMAIN, peer: keyOf('node1') });
    here.end(encodeFrame(encodeCbor(head())));
    const reader = new FrameReader(here, 65_536);
    for (let frames = 0; frames < 10; frames++) await reader.next(60_000);
    const after = made;
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(made).toBeLessThan(after + 20);
    here.destroy();
    await waitFor(() => served.open() === 0);
  });
});

describe('what peers answer', () => {
  const wires = new Wires(['node0', 'node1']);
  const user = { type: 'user', home: 'self', name: 'ops', uid: 'u1', display: 'ops@node0' } as const;

  async function asked(handler: Handler, { timeoutMs = 60_000, endless = false } = {}): Promise<{ status: number; bytes: number }> {
    wires.handlers.set('node1', handler);
    const peers = wires.peerApi('node0');
    const [peer] = peers.peers();
    if (peer === undefined) throw new Error('no peer');
    const { signal } = new AbortController();
    const response = await peers.request(peer, { user, method: 'GET', path: SERVICES, accept: '', timeoutMs, endless, signal });
    let bytes = 0;
    for await (const part of response.body) bytes += part.length;
    return { status: response.status, bytes };
  }

  const answering = (bytes: Uint8Array, then: (stream: Duplex) => void): Handler => {
    return (stream) => {
      stream.resume();
      stream.write(bytes);
      then(stream);
    };
  };
  const end = (stream: Duplex) => void stream.end();
  const good = encodeFrame(encodeCbor(responseHead()));

  it('is taken if it is whole', async () => {
    const body = Buffer.concat([good, encodeFrame(Buffer.from('{}'))]);
    expect(await asked(answering(body, end))).toEqual({ status: 200, bytes: 2 });
  });

  it.each([
    ['nothing', Buffer.alloc(0), 'FRAME_INVALID'],
    ['noise', encodeFrame(Buffer.from('HTTP/1.1 200 OK')), 'FRAME_INVALID'],
    ['a status that is none', encodeFrame(encodeCbor({ ...responseHead(), status: 9 })), 'FRAME_INVALID'],
    ['a half body', Buffer.concat([good, encodeFrame(Buffer.from('{}')).subarray(0, 5)]), 'FRAME_INVALID'],
    ['a giant frame', Buffer.concat([good, Buffer.from([0x10, 0, 0, 0])]), 'FRAME_TOO_LARGE'],
  ])('%s is refused', async (_what, bytes, code) => {
    await expect(asked(answering(bytes, end))).rejects.toMatchObject({ code, details: { node: 'node1' } });
  });

  it('that is cut off is no whole answer', async () => {
    const cut = answering(Buffer.concat([good, encodeFrame(Buffer.from('{}'))]), (stream) =>
      setImmediate(() => stream.destroy(new Error('cut'))),
    );
    await expect(asked(cut)).rejects.toMatchObject({ code: 'PEER_AWAY', details: { node: 'node1' } });
  });

  it('that never comes, or drips, is given up', async () => {
    await expect(asked((stream) => void stream.resume(), { timeoutMs: 30 })).rejects.toMatchObject({
      code: 'TIMEOUT',
      details: { node: 'node1' },
    });
    const dripping = answering(good, (stream) => {
      const drip = setInterval(() => stream.write(encodeFrame(Buffer.from('x'))), 5);
      stream.once('close', () => clearInterval(drip));
    });
    await expect(asked(dripping, { timeoutMs: 60 })).rejects.toMatchObject({ code: 'TIMEOUT' });
    // the head alone, byte by byte
    const slow: Handler = (stream) => {
      stream.resume();
      let sent = 0;
      const drip = setInterval(() => stream.write(good.subarray(sent++, sent)), 20);
      stream.once('close', () => clearInterval(drip));
    };
    await expect(asked(slow, { timeoutMs: 60 })).rejects.toMatchObject({ code: 'TIMEOUT' });
  });

  it('that has no end stays with the peer while nobody reads it', async () => {
    let written = 0;
    wires.handlers.set('node1', (stream) => {
      stream.resume();
      stream.write(good);
      const more = () => {
        while (!stream.destroyed && stream.write(encodeFrame(Buffer.alloc(32 * 1024)))) written += 32 * 1024;
        stream.once('drain', more);
      };
      more();
    });
    const peers = wires.peerApi('node0');
    const [peer] = peers.peers();
    if (peer === undefined) throw new Error('no peer');
    const { signal } = new AbortController();
    const response = await peers.request(peer, { user, method: 'GET', path: SERVICES, accept: '', timeoutMs: 60_000, signal });
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(written).toBeLessThan(1024 * 1024);
    const parts = response.body[Symbol.asyncIterator]();
    expect((await parts.next()).done).toBe(false);
    await parts.return?.();
    expect(await parts.next()).toEqual({ done: true, value: undefined });
    await waitFor(() => wires.streams.every((stream) => stream.destroyed));
  });

  it('is let go when whoever asked goes away', async () => {
    wires.handlers.set('node1', (stream) => void stream.resume());
    const peers = wires.peerApi('node0');
    const [peer] = peers.peers();
    if (peer === undefined) throw new Error('no peer');
    const gone = new AbortController();
    const response = peers.request(peer, { user, method: 'GET', path: SERVICES, accept: '', timeoutMs: 60_000, signal: gone.signal });
    setImmediate(() => gone.abort());
    await expect(response).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await waitFor(() => wires.streams.every((stream) => stream.destroyed));
  });

  it('comes in turn where many ask the same node', async () => {
    const open: Duplex[] = [];
    let most = 0;
    wires.handlers.set('node1', (stream) => {
      stream.resume();
      open.push(stream);
      most = Math.max(most, open.length);
      setImmediate(() => {
        open.splice(open.indexOf(stream), 1);
        stream.end(Buffer.concat([good, encodeFrame(Buffer.from('{}'))]));
      });
    });
    const peers = wires.peerApi('node0');
    const [peer] = peers.peers();
    if (peer === undefined) throw new Error('no peer');
    const { signal } = new AbortController();
    const all = Array.from({ length: 100 }, async () => {
      const response = await peers.request(peer, { user, method: 'GET', path: SERVICES, accept: '', timeoutMs: 60_000, signal });
      let bytes = 0;
      for await (const part of response.body) bytes += part.length;
      return bytes;
    });
    expect(await Promise.all(all)).toEqual(Array.from({ length: 100 }, () => 2));
    expect(most).toBeLessThanOrEqual(32);
  });
});
