import { describe, expect, it, vi } from 'vitest';
import * as Y from 'yjs';
import { clientOf } from '../../../daemon/src/mesh/log/author-doc.ts';
import { MAX_LIVE_VALUES } from '../../../daemon/src/mesh/log/limits.ts';
import type { DomainLog } from '../../../daemon/src/mesh/log/log.types.ts';
import { createLogs } from '../../../daemon/src/mesh/log/logs.ts';
import { openObjectStore } from '../../../daemon/src/store/object-store.ts';
import { parseDomainId } from '../../../protocol/ids.ts';
import { generateSigningKey } from '../../../protocol/keys/signing.ts';
import { SIGHTLINE_GROUP } from '../../../protocol/kinds/dtdomain.ts';
import { epochText, seqText } from '../../../protocol/log/log-entry.ts';
import { silentLogger } from '../../silent-logger.ts';
import { Author } from './author.ts';
import { app, appRef, Disk, DOMAIN, DOMAIN_NAME, keyOfApp, Node, publishedApp, Roster } from './node.ts';

const SECOND = parseDomainId('e'.repeat(64));

/** A node in two domains, with a member in each who hears all that is said there. */
async function between(): Promise<{ node: Node; second: DomainLog; inFirst: Node; said: Uint8Array[] }> {
  const roster = new Roster();
  const node = await Node.start({ name: 'node', roster });
  const inFirst = await Node.start({ name: 'member', roster });
  const second = await node.logs.open(SECOND, 'second', roster.add(generateSigningKey(), 'node'), roster);
  const said: Uint8Array[] = [];
  second.onOwnEntry((entry) => said.push(entry));
  return { node, second, inFirst, said };
}

describe('logs of several domains', () => {
  it('publish an object into those that it names, and no word of the others', async () => {
    const { node, inFirst, said } = await between();
    await node.expose('both', { domains: [DOMAIN_NAME, 'second'] });
    await node.expose('first', { domains: [DOMAIN_NAME] });
    await node.expose('second-only', { domains: ['second'] });
    await inFirst.pull(node);
    expect(await inFirst.names()).toEqual(['node/both', 'node/first']);
    expect(JSON.stringify(await inFirst.shown())).not.toContain('second');
    const text = Buffer.concat(said).toString('latin1');
    expect(text).toContain('second-only');
    expect(text).not.toContain(DOMAIN_NAME);
    await node.expose('both', { domains: ['second'] });
    await inFirst.pull(node);
    expect(await inFirst.names()).toEqual(['node/first']);
  });

  it('are all left alone if one of them refuses', async () => {
    const { node, inFirst, said } = await between();
    await node.expose('one', { domains: [DOMAIN_NAME, 'second'] });
    const before = { heads: await node.log.heads(), said: said.length };
    const metadata = {
      ...app('node', 'large').metadata,
      annotations: { 'e.org/a': 'x'.repeat(16_000), 'e.org/b': 'x'.repeat(16_000), 'e.org/c': 'x'.repeat(999) },
    };
    await expect(node.put({ ...app('node', 'large', { domains: [DOMAIN_NAME, 'second'] }), metadata })).rejects.toMatchObject({
      code: 'QUOTA_EXCEEDED',
    });
    expect({ heads: await node.log.heads(), said: said.length }).toEqual(before);
    await node.expose('two', { domains: [DOMAIN_NAME, 'second'] });
    await inFirst.pull(node);
    expect(await inFirst.names()).toEqual(['node/one', 'node/two']);
    expect((await node.log.heads())[0]).toMatchObject({ epoch: before.heads[0]?.epoch, seq: 1 });
  });

  it('take one change as one entry, and a transaction of many as few', async () => {
    const { node, said } = await between();
    await node.store.transact(async (tx) => {
      for (let index = 0; index < 50; index += 1) await tx.put(app('node', `app-${index}`, { domains: ['second'] }));
    });
    expect(said).toHaveLength(1);
    await node.expose('more', { domains: ['second'] });
    expect(said).toHaveLength(2);
  });

  it('are judged by a dry run, and none the worse for it: no new epoch says everything again', async () => {
    const { node, inFirst } = await between();
    await node.expose('one');
    const before = await node.log.heads();
    await node.store.transact((tx) => tx.put(app('node', 'tried')), { dryRun: true });
    const large = {
      ...app('node', 'large'),
      metadata: { ...app('node', 'large').metadata, annotations: { 'e.org/a': 'x'.repeat(40_000) } },
    };
    await expect(node.store.transact((tx) => tx.put(large), { dryRun: true })).rejects.toMatchObject({ code: 'INVALID' });
    expect(await node.log.heads()).toEqual(before);
    await node.expose('two');
    expect((await node.log.heads())[0]).toMatchObject({ epoch: before[0]?.epoch, seq: 1 });
    await inFirst.pull(node);
    expect(await inFirst.names()).toEqual(['node/one', 'node/two']);
  });

  it('are opened once by id and by name', async () => {
    const { node, second } = await between();
    const again = node.logs.open(SECOND, 'other', generateSigningKey(), new Roster());
    await expect(again).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    await expect(node.logs.open(parseDomainId('f'.repeat(64)), 'second', generateSigningKey(), new Roster())).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
    });
    await second.drop();
    await node.logs.open(SECOND, 'second', generateSigningKey(), new Roster());
  });

  it('forget a domain that is left: its rows and the objects of others, but none of our own', async () => {
    const roster = new Roster();
    const a = await Node.start({ name: 'a', roster });
    const b = await Node.start({ name: 'b', roster });
    await a.expose('of-a');
    await b.expose('of-b');
    await b.pull(a);
    await b.log.drop();
    expect(await b.names()).toEqual(['b/of-b']);
    expect(await b.disk.rows('l/')).toEqual([]);
    expect(await b.log.receive(a.pushed[0] ?? new Uint8Array())).toBe('known');
    await b.expose('later');
    expect(await b.disk.rows('l/')).toEqual([]);
  });
});

describe('opening a log', () => {
  it('does not fail because nothing can be written just now', async () => {
    const disk = new Disk();
    const store = await openObjectStore({ kv: disk, node: 'a' });
    const logs = createLogs({ store, version: '1.0.0', logger: silentLogger, now: Date.now });
    store.addParticipant(logs.participant);
    await store.transact((tx) => tx.put(app('a', 'one')));
    disk.failing = true;
    const roster = new Roster();
    const log = await logs.open(DOMAIN, DOMAIN_NAME, roster.add(generateSigningKey(), 'a'), roster);
    expect(await log.heads()).toEqual([]);
    disk.failing = false;
    await logs.close();
    const again = createLogs({ store, version: '1.0.0', logger: silentLogger, now: Date.now });
    const opened = await again.open(DOMAIN, DOMAIN_NAME, roster.add(generateSigningKey(), 'a'), roster);
    expect(await opened.heads()).toHaveLength(1);
  });

  it('carries out what the membership decided while the daemon was down', async () => {
    const roster = new Roster();
    const node = await Node.start({ name: 'node', roster });
    const authors = ['removed', 'suspended', 'renamed', 'same'].map((name) => {
      const author = new Author();
      roster.add(author.key, name);
      return { name, author };
    });
    for (const { author } of authors) await node.log.receive(author.open(['app']).bytes);
    expect(await node.names()).toEqual(['removed/app', 'renamed/app', 'same/app', 'suspended/app']);
    const [removed, suspended, renamed] = authors.map(({ author }) => author.key.publicKey);
    if (removed === undefined || suspended === undefined || renamed === undefined) throw new Error('three authors');
    roster.names.delete(removed);
    roster.suspended.add(suspended);
    roster.names.set(renamed, 'renamed-abcdef');
    const again = await node.restart();
    expect(await again.names()).toEqual(['renamed-abcdef/app', 'same/app']);
    expect((await again.log.heads()).map(({ author }) => author)).not.toContain(removed);
    roster.suspended.clear();
    const last = await again.restart();
    expect(await last.names()).toEqual(['renamed-abcdef/app', 'same/app', 'suspended/app']);
  });

  it('shows what had found its place taken when the daemon died', async () => {
    const roster = new Roster();
    const node = await Node.start({ name: 'node', roster });
    const [one, other] = [new Author(), new Author()];
    roster.add(one.key, 'one');
    roster.add(other.key, 'other');
    await node.log.receive(one.open(['app', 'more']).bytes);
    await node.log.receive(other.open(['app']).bytes);
    roster.names.set(one.key.publicKey, 'other').set(other.key.publicKey, 'one');
    await node.log.refreshAuthor(one.key.publicKey);
    await node.log.refreshAuthor(other.key.publicKey);
    expect(await node.names()).toEqual(['one/app', 'other/more']);
    const again = await node.restart();
    expect(await again.names()).toEqual(['one/app', 'other/app', 'other/more']);
    expect(await again.disk.rows(`l/${DOMAIN}/${one.key.publicKey}/c`)).toEqual([]);
  });

  it('publishes what was written while the domain was closed, and takes back what was deleted', async () => {
    const roster = new Roster();
    const a = await Node.start({ name: 'a', roster });
    const b = await Node.start({ name: 'b', roster });
    await a.expose('kept');
    await a.expose('deleted');
    await b.pull(a);
    await a.logs.close();
    await a.store.transact(async (tx) => {
      await tx.delete(appRef('a', 'deleted'));
      await tx.put(app('a', 'new'));
    });
    const again = await a.restart();
    await b.pull(again);
    expect(await b.names()).toEqual(['a/kept', 'a/new']);
  });

  it('shows after an upgrade what only the later version knows, and leaves out what only the earlier one took', async () => {
    const roster = new Roster();
    const node = await Node.start({ name: 'node', roster });
    const author = new Author();
    roster.add(author.key, 'author');
    const { publicKey } = author.key;
    await node.log.receive(author.open(['hidden', 'shown']).bytes);
    const o = { ...publishedApp('outdated'), spec: { serviceSelector: 'of an earlier version' } };
    const taken = author.set(keyOfApp('outdated'), { b: '0'.repeat(36), o });
    // as an earlier version left it
    const prefix = `l/${DOMAIN}/${publicKey}/`;
    const head = JSON.parse(Buffer.from((await node.disk.get(`${prefix}h`)) ?? []).toString());
    const shown = { ...head.shown, seq: taken.seq, hash: taken.hash };
    await node.disk.batch(
      [
        { type: 'put', key: `${prefix}e/${epochText(taken.epoch)}/${seqText(taken.seq)}`, value: taken.bytes },
        { type: 'put', key: `${prefix}h`, value: Buffer.from(JSON.stringify({ ...head, shown, by: '0.9.0' })) },
        { type: 'del', key: `${prefix}o/${keyOfApp('hidden')}` },
        { type: 'del', key: `o/${SIGHTLINE_GROUP}/dtapps/author!hidden` },
      ],
      { sync: true },
    );
    const again = await node.restart();
    expect(await again.names()).toEqual(['author/hidden', 'author/shown']);
    expect(await again.log.receive(author.app('outdated').bytes)).toBe('applied');
    expect(await again.names()).toEqual(['author/hidden', 'author/outdated', 'author/shown']);
    const { batches } = again.disk;
    expect((await again.restart()).disk.batches).toBe(batches);
  });

  it('does not fail after an upgrade because there is no room to show anew what members share, and does so when there is', async () => {
    const roster = new Roster();
    const node = await Node.start({ name: 'node', roster });
    const author = new Author();
    roster.add(author.key, 'author');
    await node.log.receive(author.open(['one', 'two']).bytes);
    node.disk.failing = true;
    const again = await node.restart({ version: '2.0.0' });
    expect(await again.names()).toEqual(['author/one', 'author/two']);
    again.disk.failing = false;
    const head = `l/${DOMAIN}/${author.key.publicKey}/h`;
    await vi.waitFor(async () => expect(Buffer.from((await again.disk.get(head)) ?? []).toString()).toContain('2.0.0'), {
      timeout: 10_000,
    });
    expect(await again.names()).toEqual(['author/one', 'author/two']);
  });

  it('does not fail over a log that is beyond a quota of this version', async () => {
    const roster = new Roster();
    const node = await Node.start({ name: 'node', roster });
    const author = new Author();
    roster.add(author.key, 'author');
    const doc = new Y.Doc();
    doc.clientID = clientOf(author.epoch);
    const objects = doc.getMap('objects');
    const write = (change: () => void) => {
      const updates: Uint8Array[] = [];
      doc.once('update', (update: Uint8Array) => updates.push(update));
      doc.transact(change);
      return author.sign(Buffer.concat(updates));
    };
    await node.log.receive(write(() => objects.set(keyOfApp('shown'), author.value('shown'))).bytes);
    const values = 60_000;
    const taken = Array.from({ length: Math.ceil(MAX_LIVE_VALUES / values) }, (_, at) =>
      write(() => objects.set(keyOfApp(`large-${at}`), { b: '0'.repeat(36), o: Array.from({ length: values }, () => null) })),
    );
    // as an earlier version left it
    const prefix = `l/${DOMAIN}/${author.key.publicKey}/`;
    const head = JSON.parse(Buffer.from((await node.disk.get(`${prefix}h`)) ?? []).toString());
    const shown = { ...head.shown, seq: author.seq, hash: author.prev };
    await node.disk.batch(
      [
        ...taken.map(({ epoch, seq, bytes }) => ({
          type: 'put' as const,
          key: `${prefix}e/${epochText(epoch)}/${seqText(seq)}`,
          value: bytes,
        })),
        { type: 'put', key: `${prefix}h`, value: Buffer.from(JSON.stringify({ ...head, shown, by: '0.9.0' })) },
        { type: 'del', key: `${prefix}o/${keyOfApp('shown')}` },
      ],
      { sync: true },
    );
    const again = await node.restart();
    expect(await again.names()).toEqual(['author/shown']);
    const less = write(() => objects.delete(keyOfApp('large-0')));
    expect(await again.log.receive(less.bytes)).toBe('applied');
  });
});
