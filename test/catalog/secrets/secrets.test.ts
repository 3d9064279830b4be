import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openValue, sealValue } from '../../../daemon/src/catalog/secrets/secret-box.ts';
import { createSecrets, type Secrets } from '../../../daemon/src/catalog/secrets/secrets.ts';
import type { Kv } from '../../../daemon/src/store/kv.ts';
import { openObjectStore } from '../../../daemon/src/store/object-store.ts';
import { JSON_PATCH, MERGE, NODE, startTestApi, type TestApi } from '../../api/fixtures.ts';
import { memoryKv } from '../../store/memory-kv.ts';

const SECRETS = '/apis/dtkd.dev/v1/namespaces/default/secrets';
const VALUE = 'correct horse battery staple';

let directory = '';
let kv: Kv = memoryKv();
let secrets: Secrets;
let api: TestApi;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dtkd-secrets-'));
  kv = memoryKv();
  const store = await openObjectStore({ kv, node: NODE });
  secrets = createSecrets({ store, node: { name: NODE }, directory, now: () => 1_700_000_000_000 });
  store.addParticipant(secrets.participant);
  api = await startTestApi({ store, kinds: { 'dtkd.dev/secrets': secrets.handler } });
});
afterEach(async () => {
  await api.close();
  await rm(directory, { recursive: true, force: true });
});

const body = (spec: object | undefined, metadata: object = {}) => ({
  apiVersion: 'dtkd.dev/v1',
  kind: 'Secret',
  metadata: { name: 'db', ...metadata },
  ...(spec === undefined ? {} : { spec }),
});

/** Everything that the store has, as text. */
async function everything(): Promise<string> {
  const rows = await kv.page({ gte: '', lt: '\u{10ffff}', limit: 10_000 });
  return rows.map(([key, value]) => `${key} ${Buffer.from(value).toString('latin1')}`).join('\n');
}

describe('what else is sealed', () => {
  test('is for this node alone, and for what it was sealed for', async () => {
    const bytes = Buffer.from('of a part');
    const sealed = await secrets.values.seal('part/1', bytes);
    expect(String(Buffer.from(sealed))).not.toContain('of a part');
    expect(await secrets.values.unseal('part/1', sealed)).toEqual(bytes);
    await expect(secrets.values.unseal('part/2', sealed)).rejects.toMatchObject({ code: 'INTERNAL' });
    const other = createSecrets({ store: api.store, node: { name: NODE }, directory: join(directory, 'other'), now: () => 0 });
    await expect(other.values.unseal('part/1', sealed)).rejects.toMatchObject({ code: 'INTERNAL' });
  });
});

describe('the value of a secret', () => {
  test('is for those who run commands, and stands in no answer, row, change or log line', async () => {
    const watch = await api.watch(`${SECRETS}?watch=true&resourceVersion=${api.store.version()}`);
    const created = await api.ask('POST', SECRETS, { body: body({ value: VALUE, description: 'of the shop' }) });
    expect(created.status).toBe(201);
    expect(created.body.spec).toEqual({ description: 'of the shop' });
    expect(created.body.status).toMatchObject({ bytes: VALUE.length, changedAt: '2023-11-14T22:13:20Z' });
    expect(String(await secrets.values.get('db'))).toBe(VALUE);
    const got = await api.ask('GET', `${SECRETS}/db`);
    const listed = await api.ask('GET', SECRETS, { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } });
    await expect.poll(() => watch.events.length).toBeGreaterThan(0);
    watch.stop();
    const seen = [created.text, got.text, listed.text, JSON.stringify(watch.events), JSON.stringify(api.logged), await everything()];
    for (const text of seen) expect(text).not.toContain('horse');
  });

  test('changes with its object, and stays when another field does', async () => {
    await api.ask('POST', SECRETS, { body: body({ value: VALUE }) });
    const first = await api.ask('GET', `${SECRETS}/db`);
    await api.ask('PATCH', `${SECRETS}/db`, { body: { spec: { description: 'x' } }, headers: { 'content-type': MERGE } });
    expect(String(await secrets.values.get('db'))).toBe(VALUE);
    const patched = await api.ask('PATCH', `${SECRETS}/db`, { body: { spec: { value: 'next' } }, headers: { 'content-type': MERGE } });
    expect(patched.body.spec).toEqual({ description: 'x' });
    expect(patched.body.status).toMatchObject({ bytes: 4 });
    expect(patched.body.status.version).not.toBe(first.body.status.version);
    expect(String(await secrets.values.get('db'))).toBe('next');
    await api.ask('PUT', `${SECRETS}/db`, { body: body(undefined) });
    expect(String(await secrets.values.get('db'))).toBe('next');
  });

  test('goes with its object, and does not come back with its name', async () => {
    await api.ask('POST', SECRETS, { body: body({ value: VALUE }) });
    await api.ask('DELETE', `${SECRETS}/db`);
    expect(await secrets.values.get('db')).toBeUndefined();
    const again = await api.ask('POST', SECRETS, { body: body(undefined) });
    expect(again.body.status).toBeUndefined();
    expect(await secrets.values.get('db')).toBeUndefined();
  });

  test('is neither kept nor shown by a write that is only tried, or refused', async () => {
    const tried = await api.ask('POST', `${SECRETS}?dryRun=All`, { body: body({ value: VALUE }) });
    expect(tried.status).toBe(201);
    expect(tried.text).not.toContain('horse');
    await api.ask('POST', SECRETS, { body: body({ value: 'first' }) });
    expect((await api.ask('POST', SECRETS, { body: body({ value: VALUE }) })).status).toBe(409);
    const stale = await api.ask('PUT', `${SECRETS}/db`, { body: body({ value: VALUE }, { resourceVersion: '1' }) });
    expect(stale.status).toBe(409);
    expect(stale.text).not.toContain('horse');
    expect(String(await secrets.values.get('db'))).toBe('first');
    expect(await everything()).not.toContain('horse');
  });

  test('is not what a JSON patch can test, nor what kubectl writes beside it', async () => {
    const copy = { 'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify({ spec: { value: VALUE } }), kept: 'yes' };
    const created = await api.ask('POST', SECRETS, { body: body({ value: VALUE }, { annotations: copy }) });
    expect(created.body.metadata.annotations).toEqual({ kept: 'yes' });
    const patch = [{ op: 'test', path: '/spec/value', value: VALUE }];
    const tested = await api.ask('PATCH', `${SECRETS}/db`, { body: patch, headers: { 'content-type': JSON_PATCH } });
    expect(tested.status).toBeGreaterThanOrEqual(400);
    expect(await everything()).not.toContain('horse');
  });

  test('has a limit, may be empty, and may be any text', async () => {
    const large = await api.ask('POST', SECRETS, { body: body({ value: 'é'.repeat(40_000) }) });
    expect(large.status).toBe(413);
    expect((await api.ask('POST', SECRETS, { body: body({ value: 'x'.repeat(70_000) }) })).status).toBe(422);
    await api.ask('POST', SECRETS, { body: body({ value: '' }) });
    expect(await secrets.values.get('db')).toHaveLength(0);
    await api.ask('PUT', `${SECRETS}/db`, { body: body({ value: 'ü\n\0€' }) });
    expect(String(await secrets.values.get('db'))).toBe('ü\n\0€');
  });

  test('survives many writers at once: one of them wins, with its own value', async () => {
    await api.ask('POST', SECRETS, { body: body({ value: 'a' }) });
    const values = Array.from({ length: 12 }, (_, at) => 'v'.repeat(at + 2));
    await Promise.all(
      values.map((value) => api.ask('PATCH', `${SECRETS}/db`, { body: { spec: { value } }, headers: { 'content-type': MERGE } })),
    );
    const { body: object } = await api.ask('GET', `${SECRETS}/db`);
    expect(await secrets.values.get('db')).toHaveLength(object.status.bytes);
  });
});

describe('the key of the secrets', () => {
  test('is made when it is first needed, for the daemon alone, and once', async () => {
    expect(await readdir(directory)).toEqual([]);
    await Promise.all(
      [0, 1, 2].map((at) => api.ask('POST', SECRETS, { body: { ...body({ value: `v${at}` }), metadata: { name: `s${at}` } } })),
    );
    expect(await readdir(directory)).toEqual(['secrets.key']);
    expect((await stat(join(directory, 'secrets.key'))).mode & 0o777).toBe(0o600);
    for (const at of [0, 1, 2]) expect(String(await secrets.values.get(`s${at}`))).toBe(`v${at}`);
  });

  test('that is another one, is gone, or is none, opens nothing and says what to do', async () => {
    await api.ask('POST', SECRETS, { body: body({ value: VALUE }) });
    const path = join(directory, 'secrets.key');
    const key = await readFile(path);
    const reopened = () => createSecrets({ store: api.store, node: { name: NODE }, directory, now: Date.now });
    expect(String(await reopened().values.get('db'))).toBe(VALUE);
    await writeFile(path, Buffer.alloc(32, 7));
    await expect(reopened().values.get('db')).rejects.toMatchObject({ code: 'INTERNAL', next: expect.stringContaining('secret set db') });
    await writeFile(path, 'short');
    await expect(reopened().values.get('db')).rejects.toMatchObject({ code: 'INTERNAL' });
    await rm(path);
    await expect(reopened().values.get('db')).rejects.toMatchObject({ code: 'INTERNAL', next: expect.stringContaining('backup') });
    await writeFile(path, key);
    await chmod(path, 0o600);
    expect(String(await reopened().values.get('db'))).toBe(VALUE);
  });
});

test('a row stands for its own name and version only', () => {
  const key = Buffer.alloc(32, 1);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), fc.nat(10_000), (value, at) => {
      const row = sealValue(key, 'db', 'v1', value);
      expect(openValue(key, 'db', row)).toEqual(Buffer.from(value));
      expect(() => openValue(key, 'other', row)).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
      const altered = Uint8Array.from(row);
      altered[at % row.length] = (altered[at % row.length] ?? 0) ^ 1;
      expect(() => openValue(key, 'db', altered)).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
    }),
    { numRuns: 50 },
  );
});
