import { beforeEach, describe, expect, it } from 'vitest';
import { MAX_OBJECT_BYTES, MAX_PENDING_ENTRIES } from '../../../daemon/src/mesh/log/limits.ts';
import { encodeCbor } from '../../../protocol/encoding/cbor.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { parseDomainId } from '../../../protocol/ids.ts';
import { generateSigningKey } from '../../../protocol/keys/signing.ts';
import { type LogEntry, parseEntry, verifyForkProof } from '../../../protocol/log/log-entry.ts';
import { Author } from './author.ts';
import { app, appRef, keyOfApp, Node, publishedApp, Roster } from './node.ts';

let roster: Roster;
let node: Node;
let author: Author;

beforeEach(async () => {
  roster = new Roster();
  node = await Node.start({ name: 'honest', roster });
  author = new Author();
  roster.add(author.key, 'hostile');
});

async function receive(entry: LogEntry | Uint8Array): Promise<string> {
  try {
    return await node.log.receive(entry instanceof Uint8Array ? entry : entry.bytes);
  } catch (error) {
    if (error instanceof DtkdError) return error.code;
    throw error;
  }
}

describe('a hostile author', () => {
  it('is heard in its own namespace and nowhere else', async () => {
    await node.expose('mine');
    await receive(author.open(['one']));
    const o = publishedApp('mine');
    const spoofed = { ...o, metadata: { ...o.metadata, namespace: 'honest' } };
    expect(await receive(author.set(keyOfApp('mine'), { b: '0'.repeat(36), o: spoofed }))).toBe('applied');
    expect(await node.names()).toEqual(['honest/mine', 'hostile/mine', 'hostile/one']);
    expect(await node.store.originOf(appRef('honest', 'mine'))).toBe('own');
    await receive(author.set(keyOfApp('mine'), undefined));
    expect(await node.names()).toEqual(['honest/mine', 'hostile/one']);
  });

  it('cannot touch what stands in its namespace and is not its own', async () => {
    await node.store.transact((tx) => tx.put(app('hostile', 'projected'), { origin: 'projection' }));
    const before = await node.store.get(appRef('hostile', 'projected'));
    await receive(author.open(['projected', 'other']));
    await receive(author.app('projected', { generation: 2 }));
    await receive(author.set(keyOfApp('projected'), undefined));
    await receive(author.next().open(['other']));
    expect(await node.store.get(appRef('hostile', 'projected'))).toEqual(before);
    await node.log.dropAuthor(author.key.publicKey);
    expect(await node.names()).toEqual(['hostile/projected']);
    expect(node.log.counters()['collisions']).toBe(2);
  });

  it('cannot touch the objects of a member whose name it shares', async () => {
    const victim = new Author();
    roster.add(victim.key, 'hostile');
    await receive(victim.open(['app']));
    const before = await node.shown();
    await receive(author.open(['app']));
    await receive(author.app('app', { generation: 9, service: 'evil' }));
    await receive(author.set(keyOfApp('app'), undefined));
    expect(await node.shown()).toEqual(before);
    await node.log.dropAuthor(author.key.publicKey);
    expect(await node.shown()).toEqual(before);
  });

  it('gets its objects moved, not others, when names are settled', async () => {
    const victim = new Author();
    roster.add(victim.key, 'victim');
    await receive(victim.open(['app']));
    await receive(author.open(['app', 'more']));
    roster.names.set(author.key.publicKey, 'victim');
    await node.log.refreshAuthor(author.key.publicKey);
    expect(await node.names()).toEqual(['victim/app', 'victim/more']);
    roster.names.set(author.key.publicKey, 'hostile-123456');
    await node.log.refreshAuthor(author.key.publicKey);
    expect(await node.names()).toEqual(['hostile-123456/app', 'hostile-123456/more', 'victim/app']);
    await node.log.dropAuthor(author.key.publicKey);
    expect(await node.names()).toEqual(['victim/app']);
  });

  it('cannot replay, reorder or alter what it signed, nor speak for another domain', async () => {
    const opening = author.open(['one']);
    const second = author.app('two');
    const third = author.app('three');
    expect(await receive(third)).toBe('gap');
    expect(await receive(opening)).toBe('applied');
    expect(await receive(third)).toBe('gap');
    expect(await receive(second)).toBe('applied');
    expect(await receive(second)).toBe('known');
    expect(await receive(opening)).toBe('known');
    const altered = Uint8Array.from(third.bytes);
    altered[400] = (altered[400] ?? 0) ^ 1;
    expect(await receive(altered)).toBe('SIGNATURE_INVALID');
    expect(await receive(third.bytes.subarray(0, 100))).toBe('ENTRY_INVALID');
    const elsewhere = new Author(author.key, author.epoch, parseDomainId('e'.repeat(64)));
    expect(await receive(elsewhere.open(['one']))).toBe('ENTRY_INVALID');
    expect(await receive(third)).toBe('applied');
    expect(await node.names()).toEqual(['hostile/one', 'hostile/three', 'hostile/two']);
  });

  it('cannot write in the name of another member', async () => {
    const victim = new Author();
    roster.add(victim.key, 'victim');
    await receive(victim.open(['one']));
    const entry = parseEntry(victim.app('two').bytes);
    const forged = encodeCbor([entry.body, author.key.sign('entry', entry.body)]);
    expect(await receive(forged)).toBe('SIGNATURE_INVALID');
    expect(await receive(encodeCbor([entry.body, new Uint8Array(64)]))).toBe('SIGNATURE_INVALID');
    expect(await node.names()).toEqual(['victim/one']);
  });

  it('is not heard at all unless it is a member', async () => {
    const stranger = new Author();
    expect(await receive(stranger.open(['one']))).toBe('unknown-author');
    expect(await node.log.isBehind([{ author: stranger.key.publicKey, epoch: stranger.epoch, seq: 0, hash: stranger.prev }])).toBe(false);
    expect(await node.names()).toEqual([]);
  });

  it.each<[string, string, (o: ReturnType<typeof publishedApp>) => unknown]>([
    ['no object', 'ENTRY_INVALID', () => 7],
    ['a birth that is no place', 'ENTRY_INVALID', (o) => ({ b: 'x', o })],
    ['another name', 'ENTRY_INVALID', () => ({ b: '0'.repeat(36), o: publishedApp('other') })],
    ['another group', 'ENTRY_INVALID', (o) => ({ b: '0'.repeat(36), o: { ...o, apiVersion: 'apps/v1' } })],
    ['another kind', 'ENTRY_INVALID', (o) => ({ b: '0'.repeat(36), o: { ...o, kind: 'dtDomain' } })],
    ['a uid of another shape', 'ENTRY_INVALID', (o) => ({ b: '0'.repeat(36), o: { ...o, metadata: { ...o.metadata, uid: '../x' } } })],
    ['a fractional generation', 'ENTRY_INVALID', (o) => ({ b: '0'.repeat(36), o: { ...o, metadata: { ...o.metadata, generation: 1.5 } } })],
    [
      'a resourceVersion that is no number',
      'ENTRY_INVALID',
      (o) => ({ b: '0'.repeat(36), o: { ...o, metadata: { ...o.metadata, resourceVersion: '1e9' } } }),
    ],
    ['an object that is too large', 'QUOTA_EXCEEDED', (o) => ({ b: '0'.repeat(36), o: { ...o, x: 'x'.repeat(MAX_OBJECT_BYTES) } })],
  ])('is refused an object with %s', async (_what, code, value) => {
    await receive(author.open(['one']));
    expect(await receive(author.set(keyOfApp('bad'), value(publishedApp('bad'))))).toBe(code);
    expect(await node.names()).toEqual(['hostile/one']);
    expect((await node.log.heads())[0]?.seq).toBe(0);
    expect(node.log.counters()['refused']).toBe(1);
  });

  it.each(['nonsense', 'a/b', 'a/b/c/d', '/dtapps/UPPER', 'G/dtapps/x', `${'g'.repeat(300)}/dtapps/x`])(
    'is refused the key %j',
    async (key) => {
      await receive(author.open());
      expect(await receive(author.set(key, author.value('x')))).toBe('ENTRY_INVALID');
    },
  );

  it('may publish what only a later version shows', async () => {
    const future = (name: string) => ({
      apiVersion: 'future.dev/v9',
      kind: 'Marvel',
      metadata: publishedApp(name).metadata,
      spec: { a: 1 },
    });
    await receive(author.open());
    expect(await receive(author.set('future.dev/marvels/m', { b: '0'.repeat(36), o: future('m') }))).toBe('applied');
    expect(await receive(author.set('/services/s', { b: '0'.repeat(36), o: { ...future('s'), apiVersion: 'v1', kind: 'Service' } }))).toBe(
      'applied',
    );
    expect((await node.store.list({ group: '', plural: 'services' })).items).toEqual([]);
    expect(await node.names()).toEqual([]);
    const other = await Node.start({ name: 'other', roster });
    expect(await other.pull(node)).toBe(3);
  });

  it('is heard on after a value that only a later version reads, which is passed on and not shown', async () => {
    await receive(author.open(['one', 'two']));
    const o = publishedApp('one');
    const later = { b: '0'.repeat(36), o: { ...o, spec: { ...Object(o['spec']), authenticationType: 'Later' } } };
    expect(await receive(author.set(keyOfApp('one'), later))).toBe('applied');
    expect(await receive(author.app('three'))).toBe('applied');
    expect(await node.names()).toEqual(['hostile/three', 'hostile/two']);
    const other = await Node.start({ name: 'other', roster });
    expect(await other.pull(node)).toBe(3);
    expect(await receive(author.app('one', { generation: 3 }))).toBe('applied');
    expect(await node.names()).toEqual(['hostile/one', 'hostile/three', 'hostile/two']);
  });

  it('cannot set what only daemons say, nor name other domains', async () => {
    const o = { ...publishedApp('one'), URI: 'http://evil', status: 'Ready', owner: 'honest' };
    const spec = { serviceSelector: { name: 'web' }, domainSelector: { name: ['mydomain', 'other'] } };
    await receive(author.open());
    await receive(author.set(keyOfApp('one'), { b: '0'.repeat(36), o: { ...o, spec } }));
    const shown = JSON.stringify(await node.store.get(appRef('hostile', 'one')));
    expect(shown).toContain('"domainSelector":{"name":["mydomain"]}');
    expect(shown).not.toMatch(/evil|Ready|"owner"|other/);
  });

  it('cannot open an epoch in the wrong way', async () => {
    await receive(author.open(['one']));
    expect(await receive(author.app('two', {}))).toBe('applied');
    const update = author.doc.write(new Map([[keyOfApp('three'), author.value('three')]]));
    expect(await receive(author.sign(update, { open: true, openEnd: true }))).toBe('ENTRY_INVALID');
    author.next();
    expect(await receive(author.sign(author.doc.write(new Map()), { openEnd: false }))).toBe('applied');
    expect(await receive(author.app('four'))).toBe('ENTRY_INVALID');
    expect(await node.names()).toEqual(['hostile/one', 'hostile/two']);
  });

  it('cannot say nothing for ever', async () => {
    await receive(author.open(['one']));
    expect(await receive(author.sign(Uint8Array.of(0, 0)))).toBe('ENTRY_INVALID');
  });

  it('fills no memory with a flood', async () => {
    const entries = [
      author.open(),
      ...Array.from({ length: MAX_PENDING_ENTRIES + 20 }, (_, index) => author.app('one', { generation: index })),
    ];
    const results = await Promise.all(entries.map(receive));
    expect(results.filter((result) => result === 'applied').length).toBe(MAX_PENDING_ENTRIES);
    expect(results.filter((result) => result === 'gap').length).toBe(21);
    for (const entry of entries) await receive(entry);
    expect((await node.log.heads())[0]?.seq).toBe(entries.length - 1);
  });
});

describe('a forked log', () => {
  function fork(): [LogEntry, LogEntry] {
    const twin = new Author(author.key, author.epoch);
    author.open(['one']);
    twin.open(['one']);
    return [author.app('two'), twin.app('two', { service: 'evil' })];
  }

  it('is proved, hidden, and heard again only above the fork', async () => {
    const [a, b] = fork();
    await receive(author.entries[0] ?? a);
    expect(await receive(a)).toBe('applied');
    expect(await receive(b)).toBe('forked');
    expect(node.proofs).toHaveLength(1);
    expect(verifyForkProof(node.proofs[0]?.proof ?? new Uint8Array())).toMatchObject({
      author: author.key.publicKey,
      epoch: author.epoch,
      seq: 1,
    });
    expect(await node.names()).toEqual([]);
    expect(await receive(author.app('three'))).toBe('known');
    roster.suspended.add(author.key.publicKey);
    roster.forked.set(author.key.publicKey, author.epoch);
    await node.log.refreshAuthor(author.key.publicKey);
    expect(await receive(author.next().open(['four']))).toBe('known');
    expect(await node.log.isBehind([{ author: author.key.publicKey, epoch: author.epoch, seq: 0, hash: author.prev }])).toBe(false);
    roster.suspended.clear();
    await node.log.refreshAuthor(author.key.publicKey);
    expect(await node.names()).toEqual([]);
    expect(await receive(author.entries.at(-1) ?? a)).toBe('applied');
    expect(await node.names()).toEqual(['hostile/four']);
  });

  it('is proved by a successor that does not follow', async () => {
    const [a, b] = fork();
    await receive(author.entries[0] ?? a);
    await receive(b);
    expect(await receive(author.app('three'))).toBe('forked');
    expect(verifyForkProof(node.proofs[0]?.proof ?? new Uint8Array())).toMatchObject({ seq: 2 });
  });

  it('is found between two nodes that each have one side', async () => {
    const other = await Node.start({ name: 'other', roster });
    const [a, b] = fork();
    for (const entry of [author.entries[0] ?? a, a]) await node.log.receive(entry.bytes);
    for (const entry of [author.entries[0] ?? a, b]) await other.log.receive(entry.bytes);
    await node.pull(other);
    expect(node.proofs).toHaveLength(1);
  });

  it('is told again after a restart until the membership knows', async () => {
    const [a, b] = fork();
    await receive(author.entries[0] ?? a);
    await receive(a);
    await receive(b);
    const again = await node.restart();
    await Promise.resolve();
    expect(again.proofs).toEqual(node.proofs);
    expect(await again.log.receive(a.bytes)).toBe('known');
    roster.suspended.add(author.key.publicKey);
    await again.log.refreshAuthor(author.key.publicKey);
    const last = await again.restart();
    await Promise.resolve();
    expect(last.proofs).toEqual([]);
  });

  it('counts by what there is where the membership cannot say which epoch was forked', async () => {
    const names = {
      isMember: () => true,
      isSuspended: (key: string) => roster.suspended.has(author.key.publicKey) && key === author.key.publicKey,
    };
    await node.log.drop();
    const log = await node.logs.open(node.log.domain, 'mydomain', generateSigningKey(), { ...names, namespaceOf: () => 'hostile' });
    await log.receive(author.open(['one']).bytes);
    roster.suspended.add(author.key.publicKey);
    await log.refreshAuthor(author.key.publicKey);
    expect(await node.names()).toEqual([]);
    roster.suspended.clear();
    await log.refreshAuthor(author.key.publicKey);
    expect(await node.names()).toEqual([]);
    expect(await log.receive(author.next().open(['two']).bytes)).toBe('applied');
    expect(await node.names()).toEqual(['hostile/two']);
  });
});
