import { afterEach, describe, expect, it } from 'vitest';
import { hashesOf } from '../../../daemon/src/catalog/modules/publishing.ts';
import { moduleObjectName } from '../../../protocol/definitions/names.ts';
import { encodeCbor } from '../../../protocol/encoding/cbor.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { generateSigningKey, type SigningKey } from '../../../protocol/keys/signing.ts';
import type { ReleaseFields } from '../../../protocol/kinds/release.ts';
import { digestOf, type ModuleFile, packArchive } from '../../../protocol/modules/archive.ts';
import { AUTHOR_ANNOTATION } from '../../../protocol/rights/principal.ts';
import { OPERATOR, object, refusal } from '../model/fixtures.ts';
import { type Bench, bench, files, OPS } from './fixtures.ts';

let made: Bench[] = [];
afterEach(async () => {
  for (const one of made) await one.close();
  made = [];
});

async function fresh(...args: Parameters<typeof bench>): Promise<Bench> {
  const one = await bench(...args);
  made.push(one);
  return one;
}

/** Files of a module without types, which depends on others. */
function dependent(name: string, version: string, dependencies: Record<string, string> = {}, types: object = {}): ModuleFile[] {
  const manifest = { dsl_version: '1.0', module: name, version, dependencies, types };
  return [{ path: 'dtk.module.yaml', executable: false, data: Buffer.from(JSON.stringify(manifest)) }];
}

/** A member, with its signing key. */
function member({ others }: Bench, node: string): { node: string; key: SigningKey; author: string } {
  const key = generateSigningKey();
  const author = generateSigningKey().publicKey;
  others.push({ node, self: false, signingKey: key.publicKey, member: { domain: 'd', key: author } });
  return { node, key, author };
}

/** What a member releases, as a replica of it is here; members have its archive. */
async function release(
  { store, content }: Bench,
  { node, key, author }: ReturnType<typeof member>,
  all: ModuleFile[],
  over: Partial<ReleaseFields> = {},
): Promise<string> {
  const bytes = packArchive(all);
  const digest = digestOf(bytes);
  const manifest: { module: string; version: string; dependencies?: Record<string, string> } = JSON.parse(
    String(Buffer.from(all.find(({ path }) => path === 'dtk.module.yaml')?.data ?? [])),
  );
  const { module, version, dependencies } = manifest;
  const statement = encodeCbor({ name: module, version, digest, publisher: key.publicKey });
  const spec: ReleaseFields = {
    module,
    version,
    ...(dependencies === undefined ? {} : { dependencies }),
    digest,
    size: bytes.length,
    chunks: hashesOf(bytes),
    publisher: key.publicKey,
    statement: Buffer.from(statement).toString('base64'),
    signature: Buffer.from(key.sign('module', statement)).toString('base64'),
    domains: ['lab'],
    ...over,
  };
  const replica = object('Release', moduleObjectName(module, version), spec);
  replica.metadata = {
    ...replica.metadata,
    namespace: node,
    uid: `u-${node}-${version}`,
    resourceVersion: '1',
    annotations: { [AUTHOR_ANNOTATION]: author },
  };
  replica.metadata.creationTimestamp = '2026-11-22T00:00:00Z';
  await store.transact((tx) => tx.put(replica, { origin: 'replica' }));
  content.elsewhere.set(digest, bytes);
  return digest;
}

/** Runs an action to its end; gives its last line and what was told before. */
async function act({ modules }: Bench, name: string, body: object, principal = OPERATOR): Promise<{ done: unknown; told: unknown[] }> {
  const answer = await modules.actions.get(name)?.({ principal, name, method: 'POST', body });
  const stream: unknown = Reflect.get(Object(answer), 'stream');
  if (typeof stream !== 'object' || stream === null || !(Symbol.asyncIterator in stream)) return { done: answer, told: [] };
  const told: unknown[] = [];
  for await (const line of stream as AsyncIterable<unknown>) told.push(line);
  return { done: Reflect.get(Object(told.at(-1)), 'done'), told };
}

const moduleNamed = async ({ store }: Bench, name: string) => store.get({ group: 'dtkd.dev', plural: 'modules', namespace: 'node0', name });
const domain = ({ store }: Bench, name: string) =>
  store.transact((tx) =>
    tx.put({
      apiVersion: 'sid.sightlineinnovation.com/v1',
      kind: 'dtDomain',
      metadata: { name, namespace: 'node0', uid: '', resourceVersion: '', generation: 1, creationTimestamp: '' },
    }),
  );

describe('publishing', () => {
  it('makes a release of what this node has signed, in domains that it is in', async () => {
    const one = await fresh();
    await one.install(files({}, { version: '1.0.0' }));
    await domain(one, 'lab');
    const { done } = await act(one, 'module-publish', { module: 'acme/web', domains: ['lab'] });
    expect(done).toMatchObject({
      kind: 'Release',
      metadata: { name: 'acme.web-1.0.0' },
      spec: { domains: ['lab'], publisher: one.key.publicKey },
    });
    expect((await refusal(act(one, 'module-publish', { module: 'acme/web', domains: ['other'] }))).code).toBe('NOT_FOUND');
    expect((await refusal(act(one, 'module-publish', { module: 'acme/web', version: '2.0.0', domains: ['lab'] }))).message).toContain(
      'here is 1.0.0',
    );
    expect((await refusal(act(one, 'module-publish', { module: 'acme/web', domains: [] }))).code).toBe('BAD_REQUEST');
    const stored = await moduleNamed(one, 'acme.web-1.0.0');
    if (stored === undefined) throw new Error('there is no module');
    const context = { principal: OPERATOR, dryRun: false, cascade: false, warn: () => undefined };
    const refused = await refusal(Promise.resolve(one.modules.handlers.get('dtkd.dev/modules')?.delete?.(stored, context)));
    expect(refused.message).toContain('is published');
    const published = await one.store.get({ group: 'dtkd.dev', plural: 'releases', namespace: 'node0', name: 'acme.web-1.0.0' });
    if (published === undefined) throw new Error('there is no release');
    await one.modules.handlers.get('dtkd.dev/releases')?.delete?.(published, context);
    await one.modules.handlers.get('dtkd.dev/modules')?.delete?.(stored, context);
  });

  it('keeps the content of a version as it was told, until it is taken back', async () => {
    const one = await fresh();
    await one.install(files({}));
    await domain(one, 'lab');
    await act(one, 'module-publish', { module: 'acme/web', domains: ['lab'] });
    const other = files({ Web: {} });
    const refused = await refusal(one.install(other, { replace: true }));
    expect(refused).toMatchObject({ code: 'CONFLICT', next: expect.stringContaining('module unpublish acme/web@1.0.0') });
    await one.install(files({}), { replace: true });
    const published = await one.store.get({ group: 'dtkd.dev', plural: 'releases', namespace: 'node0', name: 'acme.web-1.0.0' });
    if (published === undefined) throw new Error('there is no release');
    const context = { principal: OPERATOR, dryRun: false, cascade: false, warn: () => undefined };
    await one.modules.handlers.get('dtkd.dev/releases')?.delete?.(published, context);
    await one.install(other, { replace: true });
  });

  it('needs the right, and not for what is of another publisher', async () => {
    const one = await fresh((principal, { plural }) =>
      principal.type === 'operator' || plural !== 'releases' ? { allowed: true } : { allowed: false, reason: 'no' },
    );
    await one.install(files({}));
    await domain(one, 'lab');
    expect((await refusal(act(one, 'module-publish', { module: 'acme/web', domains: ['lab'] }, OPS))).code).toBe('FORBIDDEN');
    const node1 = member(one, 'node1');
    await release(one, node1, dependent('acme/db', '1.0.0'));
    await act(one, 'module-fetch', { module: 'acme/db' });
    expect((await refusal(act(one, 'module-publish', { module: 'acme/db', domains: ['lab'] }))).message).toContain('belongs to node1');
  });
});

describe('fetching', () => {
  it('takes the newest in a range as a version to be staged, with what it needs', async () => {
    const one = await fresh();
    const node1 = member(one, 'node1');
    await release(one, node1, dependent('acme/db', '1.0.0', { 'acme/os': '^1' }, { Db: {} }));
    await release(one, node1, dependent('acme/db', '1.2.0', { 'acme/os': '^1' }));
    await release(one, node1, dependent('acme/db', '2.0.0-rc.1'));
    await release(one, node1, dependent('acme/os', '1.5.0'));
    const { done, told } = await act(one, 'module-fetch', { module: 'acme/db', range: '<1.2' });
    expect(done).toMatchObject({
      module: 'acme/db',
      version: '1.0.0',
      publisher: 'node1',
      known: false,
      dependencies: [{ module: 'acme/os', version: '1.5.0' }],
    });
    expect(told[0]).toMatchObject({ fetching: { module: 'acme/db', version: '1.0.0', publisher: 'node1' } });
    expect(await moduleNamed(one, 'acme.db-1.0.0')).toMatchObject({
      spec: { active: false, publisher: { node: 'node1', key: node1.key.publicKey } },
    });
    expect(await one.store.get({ group: 'dtkd.dev', plural: 'types', namespace: 'node0', name: 'db' })).toBeUndefined();
    expect(await act(one, 'module-fetch', { module: 'acme/db' })).toMatchObject({ done: { version: '1.2.0' } });
    expect(await act(one, 'module-fetch', { module: 'acme/db' })).toMatchObject({ done: { known: true } });
    expect((await refusal(act(one, 'module-fetch', { module: 'acme/db', range: '^3' }))).code).toBe('NO_MATCH');
    expect((await refusal(act(one, 'module-fetch', { module: 'acme/gone' }))).code).toBe('NOT_FOUND');
  });

  it('believes only what its author signed', async () => {
    const one = await fresh();
    const [node1, node2] = [member(one, 'node1'), member(one, 'node2')];
    const good = dependent('acme/db', '1.0.0');
    // node2 repeats what node1 signed, says other things than were signed, or signs with a key that is not its own
    await release(one, { ...node2, key: node1.key }, good);
    expect((await refusal(act(one, 'module-fetch', { module: 'acme/db' }))).code).toBe('NOT_FOUND');
    await release(one, node2, dependent('acme/db', '1.1.0'), { version: '9.0.0' });
    await release(one, node2, dependent('acme/db', '1.2.0'), { chunks: '' });
    await release(one, { ...node2, author: 'f'.repeat(64) }, dependent('acme/db', '1.3.0'));
    await release(one, node2, dependent('acme/db', '1.4.0'), { signature: 'AAAA' });
    expect((await refusal(act(one, 'module-fetch', { module: 'acme/db' }))).code).toBe('NOT_FOUND');
    await release(one, node1, good);
    expect(await act(one, 'module-fetch', { module: 'acme/db' })).toMatchObject({ done: { version: '1.0.0', publisher: 'node1' } });
  });

  it('blames the publisher, and nobody else, for wrong hashes of pieces', async () => {
    const one = await fresh();
    const digest = await release(one, member(one, 'node1'), dependent('acme/db', '1.0.0'));
    one.content.refusals.set(digest, new DtkdError('CONTENT_ALTERED', 'do not make up the content', { details: { toldWrong: true } }));
    expect((await refusal(act(one, 'module-fetch', { module: 'acme/db' }))).message).toContain('by node1 has wrong hashes');
    expect(one.events).toEqual([expect.stringContaining('by node1 has wrong hashes')]);
  });

  it('of a name that several publish has to say whose, and a name stays with its publisher', async () => {
    const one = await fresh();
    const [node1, node2] = [member(one, 'node1'), member(one, 'node2')];
    await release(one, node1, dependent('acme/db', '1.0.0'));
    await release(one, node2, dependent('acme/db', '2.0.0'));
    expect(await refusal(act(one, 'module-fetch', { module: 'acme/db' }))).toMatchObject({
      code: 'AMBIGUOUS',
      details: { publishers: ['node2', 'node1'] },
    });
    expect((await refusal(act(one, 'module-fetch', { module: 'acme/db', from: 'node3' }))).code).toBe('NOT_FOUND');
    await act(one, 'module-fetch', { module: 'acme/db', from: 'node1' });
    expect(await act(one, 'module-fetch', { module: 'acme/db' })).toMatchObject({ done: { version: '1.0.0' } });
    const other = await refusal(act(one, 'module-fetch', { module: 'acme/db', from: 'node2' }));
    expect(other).toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('is here from node1') });
  });

  it('refuses what does not say of itself what its release does, and needs the right', async () => {
    const one = await fresh((principal, { plural }) =>
      principal.type === 'operator' || plural !== 'modules' ? { allowed: true } : { allowed: false, reason: 'no' },
    );
    const node1 = member(one, 'node1');
    await release(one, node1, dependent('acme/db', '1.0.0', { 'acme/os': '*' }), { dependencies: {} });
    expect((await refusal(act(one, 'module-fetch', { module: 'acme/db' }))).code).toBe('CONTENT_ALTERED');
    expect(await moduleNamed(one, 'acme.db-1.0.0')).toBeUndefined();
    expect((await refusal(act(one, 'module-fetch', { module: 'acme/db' }, OPS))).code).toBe('FORBIDDEN');
  });
});

describe('what a module needs', () => {
  const web = (dependencies: Record<string, string>, types: object = {}) => dependent('acme/web', '1.0.0', dependencies, types);

  it('is chosen from what is here; what is released counts where that does not do', async () => {
    const one = await fresh();
    const node1 = member(one, 'node1');
    await one.install(dependent('acme/db', '1.0.0', {}, { Db: {} }));
    await one.install(web({ 'acme/db': '^1', 'acme/os': '*' }));
    await release(one, { ...node1 }, dependent('acme/os', '1.0.0'));
    await release(one, node1, dependent('acme/os', '2.0.0'));
    expect((await refusal(one.modules.resolve({ name: 'acme/web' }))).code).toBe('CONTENT_MISSING');
    const { root, modules, lock } = await one.modules.resolve({ name: 'acme/web' }, undefined, { principal: OPERATOR });
    expect(root.manifest.module).toBe('acme/web');
    expect([...modules.keys()].sort()).toEqual(['acme/db', 'acme/os', 'acme/web']);
    expect(lock.modules['acme/os']).toMatchObject({ version: '2.0.0', publisher: node1.key.publicKey });
    expect(lock.modules['acme/db']).toMatchObject({ version: '1.0.0', publisher: one.key.publicKey });
    // now all of it is here, and nobody is asked
    const fetched = one.content.fetched.length;
    await release(one, node1, dependent('acme/os', '3.0.0'));
    expect((await one.modules.resolve({ name: 'acme/web' })).lock.modules['acme/os']?.version).toBe('2.0.0');
    expect((await one.modules.resolve({ name: 'acme/web' }, lock)).lock).toEqual(lock);
    expect(one.content.fetched).toHaveLength(fetched);
    expect((await refusal(one.modules.resolve({ name: 'acme/web', version: '^9' }))).code).toBe('NO_MATCH');
    expect((await refusal(one.modules.resolve({ name: 'acme/none' }))).code).toBe('NOT_FOUND');
  });

  it('is the newest of all when a lock is made, and as the lock says from then on', async () => {
    const one = await fresh();
    const node1 = member(one, 'node1');
    await release(one, node1, dependent('acme/os', '1.0.0'));
    const asked = { module: 'acme/web', version: '1.0.0', dependencies: { 'acme/os': '^1' }, types: [] };
    const { done: lock } = await act(one, 'module-lock', asked);
    expect(lock).toMatchObject({ modules: { 'acme/os': { version: '1.0.0' } } });
    await release(one, node1, dependent('acme/os', '1.1.0'));
    expect((await act(one, 'module-lock', { ...asked, lock })).done).toEqual(lock);
    expect((await refusal(act(one, 'module-lock', { ...asked, fetch: false }))).code).toBe('CONTENT_MISSING');
    expect((await act(one, 'module-lock', asked)).done).toMatchObject({ modules: { 'acme/os': { version: '1.1.0' } } });
    expect(await moduleNamed(one, 'acme.os-1.1.0')).toBeDefined();
  });

  it('is refused where two modules define one type, or one is released by two', async () => {
    const one = await fresh();
    await one.install(dependent('acme/db', '1.0.0', {}, { Same: {} }), { types: false });
    await one.install(web({ 'acme/db': '*' }, { same: {} }), { types: false });
    expect((await refusal(one.modules.resolve({ name: 'acme/web' }))).message).toContain('two modules define one type');
    const [node1, node2] = [member(one, 'node1'), member(one, 'node2')];
    await release(one, node1, dependent('acme/os', '1.0.0'));
    await release(one, node2, dependent('acme/os', '1.0.0'));
    await one.install(dependent('acme/app', '1.0.0', { 'acme/os': '*' }));
    expect((await refusal(one.modules.resolve({ name: 'acme/app' }, undefined, { principal: OPERATOR }))).code).toBe('AMBIGUOUS');
  });
});

describe('versions for staging only', () => {
  it('may extend types of modules whose types are not those of the node', async () => {
    const one = await fresh();
    await one.install(dependent('acme/db', '1.0.0', {}, { Db: {} }), { types: false });
    const sub = dependent('acme/sub', '1.0.0', { 'acme/db': '*' }, { Sub: { extends: 'Db' } });
    const refused = await refusal(one.install(sub));
    expect(refused.message).toContain('extend Db, which is not a type of this node');
    expect(refused.next).toContain('--no-types');
    await one.install(sub, { types: false });
    expect([...(await one.modules.resolve({ name: 'acme/sub' })).modules.keys()]).toEqual(['acme/sub', 'acme/db']);
  });

  it('leave the types of the node as they are', async () => {
    const one = await fresh();
    await one.install(files({ Web: {} }));
    await one.install(files({ Web: { abstract: true } }, { version: '2.0.0' }), { types: false });
    expect(await one.store.get({ group: 'dtkd.dev', plural: 'types', namespace: 'node0', name: 'web' })).toMatchObject({
      spec: { module: { version: '1.0.0' } },
    });
    // an older one than that may become active: that is of no account here
    await one.install(files({ Web: {} }, { version: '1.1.0' }));
    expect(await moduleNamed(one, 'acme.web-2.0.0')).toMatchObject({ spec: { active: false } });
    const other = files({ Web: { description: 'x' } }, { version: '1.1.0' });
    expect((await refusal(one.install(other, { types: false, replace: true }))).next).toContain('give the new content a new version');
    expect(await one.modules.versions('acme/web')).toMatchObject([{ version: '2.0.0' }, { version: '1.1.0' }, { version: '1.0.0' }]);
    const pushed = await one.modules.install(OPERATOR, packArchive(files({ Web: {} }, { version: '1.1.1' })));
    expect(pushed).toMatchObject({ name: 'acme/web', version: '1.1.1', publisher: one.key.publicKey });
    expect(await moduleNamed(one, 'acme.web-1.1.1')).toMatchObject({ spec: { active: true } });
  });

  it('have assemblies of their own, which come and go with them', async () => {
    const one = await fresh();
    const manifest = (assemblies: object) => [
      {
        path: 'dtk.module.yaml',
        executable: false,
        data: Buffer.from(JSON.stringify({ dsl_version: '1.0', module: 'acme/web', version: '1.0.0', assemblies })),
      },
    ];
    const names = async () =>
      (await one.store.list({ group: 'dtkd.dev', plural: 'assemblies' })).items.map(({ metadata }) => metadata.name);
    await one.install(
      manifest({ a: { components: { web: { type: 'Service' } }, parameters: { n: { type: 'integer', default: 1 } } }, b: {} }),
    );
    expect(await names()).toEqual(['acme.web-1.0.0.a', 'acme.web-1.0.0.b']);
    const a = await one.store.get({ group: 'dtkd.dev', plural: 'assemblies', namespace: 'node0', name: 'acme.web-1.0.0.a' });
    expect(a).toMatchObject({
      spec: { module: 'acme/web', assembly: 'a', components: ['web'], parameters: { n: { type: 'integer', default: 1 } } },
    });
    await one.install(manifest({ b: { description: 'x' }, c: {} }), { replace: true });
    expect(await names()).toEqual(['acme.web-1.0.0.b', 'acme.web-1.0.0.c']);
    const stored = await moduleNamed(one, 'acme.web-1.0.0');
    if (stored === undefined) throw new Error('there is no module');
    const context = { principal: OPERATOR, dryRun: false, cascade: false, warn: () => undefined };
    await one.modules.handlers.get('dtkd.dev/modules')?.delete?.(stored, context);
    expect(await names()).toEqual([]);
  });
});
