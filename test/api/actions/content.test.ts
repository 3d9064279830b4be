import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createContent } from '../../../daemon/src/dispatch/content/content.ts';
import type { ContentStore } from '../../../daemon/src/dispatch/content/content.types.ts';
import { contentForClients } from '../../../daemon/src/dispatch/content/for-clients.ts';
import { domainId, FakeNetwork, keyOf } from '../../dispatch/fake-members.ts';
import { silentLogger } from '../../silent-logger.ts';
import { memoryKv } from '../../store/memory-kv.ts';
import { waitFor } from '../../wait.ts';
import { FakeAccess } from '../fake-access.ts';
import { startTestApi, type TestApi, TOKEN } from '../fixtures.ts';

const PATH = '/apis/dtkd.dev/v1/daemon/content';
const OCTETS = { 'content-type': 'application/octet-stream' };
const digestOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

const network = new FakeNetwork();
const recorded: { who: string; verb: string }[] = [];
let directory = '';
let api: TestApi;
let content: ContentStore;
let elsewhere: ContentStore;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dtkd-api-content-'));
  const at = (name: string) =>
    createContent({ directory: join(directory, name), members: network.node(name), rows: memoryKv(), logger: silentLogger, now: Date.now });
  [content, elsewhere] = [at('here'), at('there')];
  await Promise.all([content.start(), elsewhere.start()]);
  const access = new FakeAccess(TOKEN);
  access.addUser('ops');
  const audit = { record: (line: { who: string; verb: string }) => void recorded.push(line), verify: async () => undefined };
  api = await startTestApi({ access, content: contentForClients(content, network.node('here')), audit: audit as never });
});
afterAll(async () => {
  await api.close();
  await Promise.all([content.stop(), elsewhere.stop()]);
  await rm(directory, { recursive: true, force: true });
});

async function download(path: string, headers: Record<string, string> = {}): Promise<{ status: number; bytes: Buffer; head: object }> {
  const answer = await api.open('GET', path, { headers });
  const parts: Buffer[] = [];
  for await (const part of answer) parts.push(part);
  return { status: answer.statusCode ?? 0, bytes: Buffer.concat(parts), head: answer.headers };
}

describe('files of clients', () => {
  test('are not kept as a trial', async () => {
    const bytes = randomBytes(10);
    const tried = await api.ask('PUT', `${PATH}?dryRun=All`, { raw: bytes, headers: OCTETS });
    expect(tried).toMatchObject({ status: 400, body: { message: expect.stringContaining('nothing was done') } });
    expect(await content.path(digestOf(bytes))).toBeUndefined();
    for (const path of ['backup', 'parcel/export']) {
      const answer = await api.ask('POST', `${PATH.replace('content', path)}?dryRun=All`, { body: {} });
      expect(answer, path).toMatchObject({ status: 400, body: { message: expect.stringContaining('nothing was done') } });
    }
  });

  test('go in, come out as they were, and from any byte on', async () => {
    const bytes = randomBytes(3_000_000);
    const put = await api.ask('PUT', PATH, { raw: bytes, headers: OCTETS });
    expect(put).toMatchObject({ status: 201, body: { digest: digestOf(bytes), size: bytes.length } });
    expect(recorded.at(-1)).toMatchObject({ who: 'operator', verb: 'PUT content' });
    const whole = await download(`${PATH}/${digestOf(bytes)}`);
    expect(whole).toMatchObject({ status: 200, head: { 'content-length': '3000000', 'accept-ranges': 'bytes' } });
    expect(whole.bytes.equals(bytes)).toBe(true);
    const rest = await download(`${PATH}/${digestOf(bytes)}`, { range: 'bytes=2999990-' });
    expect(rest).toMatchObject({ status: 206, head: { 'content-range': 'bytes 2999990-2999999/3000000' } });
    expect(rest.bytes.equals(bytes.subarray(2_999_990))).toBe(true);
    expect((await download(`${PATH}/${digestOf(bytes)}`, { range: 'bytes=3000000-' })).status).toBe(400);
    expect((await download(`${PATH}/${digestOf(bytes)}`, { range: 'bytes=0-5, 7-9' })).bytes.length).toBe(3_000_000);
  });

  test('may be empty', async () => {
    const put = await api.ask('PUT', PATH, { raw: Buffer.alloc(0), headers: OCTETS });
    expect(put.body).toEqual({ digest: digestOf(Buffer.alloc(0)), size: 0 });
    expect(await download(`${PATH}/${put.body.digest}`)).toMatchObject({ status: 200, bytes: Buffer.alloc(0) });
  });

  test('are for users of this node, with a token', async () => {
    const bytes = Buffer.from('of a user');
    expect((await api.ask('PUT', PATH, { raw: bytes, headers: OCTETS, token: 'token-of-ops' })).status).toBe(201);
    expect((await api.ask('PUT', PATH, { raw: bytes, headers: OCTETS, token: '' })).status).toBe(401);
    const remote = await api.server.answer(new Request(`https://node0${PATH}/${digestOf(bytes)}`), {
      remote: { principal: { type: 'user', home: keyOf('there', domainId('site')), name: 'x', uid: '1', display: 'x@there' } },
    });
    expect(remote.status).toBe(403);
  });

  test('that are too large, are named wrongly, or are not there, are refused with a code', async () => {
    const ask = async (method: string, path: string, raw?: Uint8Array) =>
      (await api.ask(method, path, raw === undefined ? {} : { raw, headers: OCTETS })).body.details.code;
    expect(await ask('PUT', `${PATH}?limit=3`, Buffer.from('four'))).toBe('TOO_LARGE');
    expect(await ask('PUT', `${PATH}?limit=x`, Buffer.from('four'))).toBe('BAD_REQUEST');
    expect(await ask('GET', `${PATH}/..%2f..%2fetc`)).toBe('BAD_REQUEST');
    expect(await ask('GET', `${PATH}/${'ab'.repeat(32)}`)).toBe('CONTENT_MISSING');
    expect(await ask('GET', `${PATH}/${'ab'.repeat(32)}?node=nobody`)).toBe('CONTENT_MISSING');
  });

  test('for which there is no room are refused while they come, with a code', async () => {
    const small = createContent({
      directory: join(directory, 'small'),
      members: network.node('small'),
      rows: memoryKv(),
      logger: silentLogger,
      now: Date.now,
      capacity: 1_000_000,
    });
    await small.start();
    const other = await startTestApi({ content: contentForClients(small, network.node('small')) });
    const answer = await other.ask('PUT', PATH, { raw: randomBytes(30_000_000), headers: OCTETS });
    expect(answer).toMatchObject({ status: 507, body: { details: { code: 'DISK_FULL' } } });
    expect((await other.ask('PUT', PATH, { raw: Buffer.from('x'), headers: OCTETS })).status).toBe(201);
    await other.close();
    await small.stop();
  });

  test('come from another node if that gives them', async () => {
    const bytes = randomBytes(200_000);
    const chunks = (async function* () {
      yield bytes;
    })();
    const { digest, size } = await elsewhere.take(chunks, { limit: 1_000_000 });
    await elsewhere.allow(digest, [{ domain: domainId('site'), key: keyOf('here', domainId('site')) }], Number.POSITIVE_INFINITY);
    const got = await download(`${PATH}/${digest}?node=there&size=${size}`);
    expect(got.bytes.equals(bytes)).toBe(true);
  });

  test('that break off are not kept', async () => {
    const before = content.counts();
    const socket = connect({ host: '127.0.0.1', port: api.server.port, rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    socket.write(`PUT ${PATH} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${TOKEN}\r\ncontent-length: 1000\r\n\r\nhalf`);
    await waitFor(() => socket.bytesWritten > 0);
    socket.destroy();
    const bytes = randomBytes(10);
    await api.ask('PUT', PATH, { raw: bytes, headers: OCTETS });
    expect(content.counts()).toEqual({ files: before.files + 1, bytes: before.bytes + 10 });
  });
});
