/** Kinds that are published to every domain, and kinds with exactly one object for each author. */
import { describe, expect, it } from 'vitest';
import type { DomainLog, Logs } from '../../../daemon/src/mesh/log/log.types.ts';
import { createLogs } from '../../../daemon/src/mesh/log/logs.ts';
import { openObjectStore } from '../../../daemon/src/store/object-store.ts';
import type { ObjectStore } from '../../../daemon/src/store/object-store.types.ts';
import { type PeerKey, parseDomainId } from '../../../protocol/ids.ts';
import { generateSigningKey, type SigningKey } from '../../../protocol/keys/signing.ts';
import { DTKD_GROUP } from '../../../protocol/kinds/model.ts';
import { nodeKind } from '../../../protocol/kinds/node.ts';
import { trustKind } from '../../../protocol/kinds/trust.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import { AUTHOR_ANNOTATION, CREATOR_ANNOTATION } from '../../../protocol/rights/principal.ts';
import { silentLogger } from '../../silent-logger.ts';
import { waitFor } from '../../wait.ts';
import { Author } from './author.ts';
import { app, appRef, Disk, Node, Roster } from './node.ts';

const FIRST = parseDomainId('1'.repeat(64));
const SECOND = parseDomainId('2'.repeat(64));
const NODE_KEY = `${DTKD_GROUP}/nodes/self`;

const nodeRef = (name: string) => ({ group: DTKD_GROUP, plural: 'nodes', namespace: '', name });

function nodeObject(name: string, tags: string[] = [], metadata: Partial<ApiObject['metadata']> = {}): ApiObject {
  return {
    apiVersion: `${DTKD_GROUP}/v1`,
    kind: 'Node',
    metadata: { name, uid: '', resourceVersion: '', generation: 1, creationTimestamp: '', ...metadata },
    spec: { tags },
  };
}

function trust(namespace: string, name: string): ApiObject {
  return {
    apiVersion: `${DTKD_GROUP}/v1`,
    kind: 'Trust',
    metadata: { namespace, name, uid: '', resourceVersion: '', generation: 1, creationTimestamp: '' },
    spec: { description: 'ours' },
  };
}

/** What a node shows of a kind, `namespace/name`. */
async function shown(store: ObjectStore, plural: string): Promise<string[]> {
  const { items } = await store.list({ group: DTKD_GROUP, plural });
  return items.map(({ metadata }) => `${metadata.namespace ?? ''}/${metadata.name}`).sort();
}

/** A node that may be in several domains, in each with another key. */
class Traveller {
  readonly name: string;
  readonly store: ObjectStore;
  readonly logs: Logs;
  readonly open = new Map<string, { log: DomainLog; key: SigningKey }>();

  private constructor(name: string, store: ObjectStore, logs: Logs) {
    this.name = name;
    this.store = store;
    this.logs = logs;
  }

  static async start(name: string): Promise<Traveller> {
    const store = await openObjectStore({ kv: new Disk(), node: name });
    const logs = createLogs({ store, version: '1.0.0', logger: silentLogger, now: Date.now });
    store.addParticipant(logs.participant);
    return new Traveller(name, store, logs);
  }

  async join(domain: typeof FIRST, roster: Roster): Promise<DomainLog> {
    const key = roster.add(generateSigningKey(), this.name);
    // Of this node's own key the own name, whatever others call it.
    const { name } = this;
    const authors = Object.assign(Object.create(roster) as Roster, {
      namespaceOf: (asked: PeerKey) => (asked === key.publicKey ? name : roster.namespaceOf(asked)),
    });
    const log = await this.logs.open(domain, domain === FIRST ? 'first' : 'second', key, authors);
    this.open.set(domain, { log, key });
    return log;
  }

  put(object: ApiObject): Promise<ApiObject> {
    return this.store.transact((tx) => tx.put(object));
  }
}

async function pull(to: DomainLog, from: DomainLog): Promise<void> {
  while (await to.isBehind(await from.heads())) {
    const entries = await from.missing(await to.asks(), 100_000);
    for (const entry of entries) await to.receive(entry);
    if (entries.length === 0) return;
  }
}

describe('kinds that belong to every domain', () => {
  it('are published to all domains, also to one joined later, and are withdrawn from one that is left', async () => {
    const [first, second] = [new Roster(), new Roster()];
    const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((name) => Traveller.start(name)));
    if (a === undefined || b === undefined || c === undefined) throw new Error();
    const a1 = await a.join(FIRST, first);
    const b1 = await b.join(FIRST, first);
    await a.put(nodeObject('a', ['edge']));
    await a.put(trust('a', 'research'));
    await pull(b1, a1);
    expect(await shown(b.store, 'nodes')).toEqual(['/a']);
    expect(await shown(b.store, 'trusts')).toEqual(['a/research']);
    const a2 = await a.join(SECOND, second);
    const c2 = await c.join(SECOND, second);
    await pull(c2, a2);
    expect(await shown(c.store, 'nodes')).toEqual(['/a']);
    expect(await shown(c.store, 'trusts')).toEqual(['a/research']);
    await a.put(nodeObject('a', ['edge', 'arm']));
    await Promise.all([pull(b1, a1), pull(c2, a2)]);
    for (const store of [b.store, c.store]) expect((await store.get(nodeRef('a')))?.['spec']).toEqual({ tags: ['edge', 'arm'] });
    const key = a.open.get(SECOND)?.key.publicKey;
    await a2.drop();
    if (key !== undefined) await c2.dropAuthor(key);
    expect(await shown(c.store, 'nodes')).toEqual([]);
    expect(await shown(a.store, 'nodes')).toEqual(['/a']);
    await a.put(nodeObject('a', ['alone']));
    await pull(b1, a1);
    expect((await b.store.get(nodeRef('a')))?.['spec']).toEqual({ tags: ['alone'] });
  });

  it('come back from the peers after a restore, with members of other domains and annotations as stored', () => {
    const published = { ...trust('a', 't'), members: [{ home: 'self', name: 'ops', uid: 'u1', membership: 'm1', display: 'ops@a' }] };
    const other = { home: 'b'.repeat(64), name: 'eve', uid: 'u2', membership: 'm2', display: 'eve@b', domain: 'second' };
    const stored = { ...trust('a', 't'), members: [other] };
    stored.metadata.annotations = { [CREATOR_ANNOTATION]: 'ops/u1@self' };
    expect(trustKind.adopted?.(published, 'first', stored)).toMatchObject({
      metadata: { annotations: { [CREATOR_ANNOTATION]: 'ops/u1@self' } },
      spec: { members: ['ops@a', 'eve@b'] },
      members: [{ name: 'ops' }, other],
    });
    expect(trustKind.adopted?.(undefined, 'first', stored)).toBeUndefined();
    expect(nodeKind.adopted?.(nodeObject('self'), 'first', undefined)).toEqual(nodeObject('self'));
  });
});

describe('a cluster-scoped kind', () => {
  async function pair(): Promise<{ roster: Roster; a: Node; b: Node }> {
    const roster = new Roster();
    return { roster, a: await Node.start({ name: 'a', roster }), b: await Node.start({ name: 'b', roster }) };
  }

  it("shows each author's one object under the author's name, with what its owner stamped", async () => {
    const { a, b } = await pair();
    const stored = await a.put(nodeObject('a', ['x'], { annotations: { note: 'private' } }));
    await b.pull(a);
    expect((await b.store.get(nodeRef('a')))?.metadata).toEqual({
      name: 'a',
      uid: stored.metadata.uid,
      resourceVersion: stored.metadata.resourceVersion,
      generation: 1,
      creationTimestamp: stored.metadata.creationTimestamp,
      annotations: { [AUTHOR_ANNOTATION]: a.author },
    });
    expect(await b.store.originOf(nodeRef('a'))).toBe('replica');
    expect(await b.store.get(nodeRef('self'))).toBeUndefined();
  });

  it("moves it with the author's name, also into a place that is only just becoming free", async () => {
    const { roster, a, b } = await pair();
    const c = await Node.start({ name: 'c', roster });
    await a.put(nodeObject('a', ['of-a']));
    await c.put(nodeObject('c', ['of-c']));
    await b.pull(a);
    await b.pull(c);
    roster.names.set(a.author, 'c');
    roster.names.set(c.author, 'elsewhere');
    await b.log.refreshAuthor(a.author);
    await b.log.refreshAuthor(c.author);
    await waitFor(async () => (await shown(b.store, 'nodes')).join() === '/c,/elsewhere', { what: 'both to be under their new names' });
    expect((await b.store.get(nodeRef('c')))?.['spec']).toEqual({ tags: ['of-a'] });
    await b.log.dropAuthor(a.author);
    expect(await shown(b.store, 'nodes')).toEqual(['/elsewhere']);
  });

  it('publishes none but the own one, and never touches the own one for another author', async () => {
    const { roster, a, b } = await pair();
    await a.put(nodeObject('not-a'));
    expect(a.pushed).toEqual([]);
    await b.put(nodeObject('b', ['mine']));
    await a.put(nodeObject('a', ['theirs']));
    roster.names.set(a.author, 'b');
    await b.pull(a);
    expect((await b.store.get(nodeRef('b')))?.['spec']).toEqual({ tags: ['mine'] });
    expect(b.log.counters()['collisions']).toBe(1);
  });

  it('refuses any other name in the log of an author', async () => {
    const roster = new Roster();
    const b = await Node.start({ name: 'b', roster });
    const author = new Author();
    roster.add(author.key, 'mallory');
    await b.log.receive(author.open().bytes);
    const value = { ...(author.value('x') as object), o: nodeObject('b', [], stamps()) };
    await expect(b.log.receive(author.set(`${DTKD_GROUP}/nodes/b`, value).bytes)).rejects.toMatchObject({ code: 'ENTRY_INVALID' });
    const again = new Author();
    roster.add(again.key, 'eve');
    await b.log.receive(again.open().bytes);
    const misnamed = { ...(again.value('x') as object), o: nodeObject('b', [], stamps()) };
    await expect(b.log.receive(again.set(NODE_KEY, misnamed).bytes)).rejects.toMatchObject({ code: 'ENTRY_INVALID' });
    expect(await shown(b.store, 'nodes')).toEqual([]);
  });

  it('takes its own object back from the peers after a restore', async () => {
    const { roster, a, b } = await pair();
    await a.put(nodeObject('a', ['old']));
    const backup = await a.disk.copy();
    const known = await a.store.get(nodeRef('a'));
    await a.put({ ...nodeObject('a', ['new']), metadata: { ...nodeObject('a').metadata, uid: known?.metadata.uid ?? '', generation: 2 } });
    await b.pull(a);
    await a.logs.close();
    const restored = await Node.start({ name: 'a', key: a.key, roster, disk: backup });
    await waitFor(
      async () => {
        await restored.pull(b);
        return JSON.stringify((await restored.store.get(nodeRef('a')))?.['spec']) === '{"tags":["new"]}';
      },
      { what: 'the state to be taken in' },
    );
    expect(await restored.store.originOf(nodeRef('a'))).toBe('own');
    expect(await shown(restored.store, 'nodes')).toEqual(['/a']);
    await b.pull(restored);
    expect((await b.store.get(nodeRef('a')))?.metadata.name).toBe('a');
    expect(restored.log.condition()).toBeUndefined();
  });
});

describe('who made an app', () => {
  it('is told to nobody', async () => {
    const roster = new Roster();
    const a = await Node.start({ name: 'a', roster });
    const b = await Node.start({ name: 'b', roster });
    const made = app('a', 'wiki');
    made.metadata.annotations = { [CREATOR_ANNOTATION]: 'ops/u1@self', note: 'public' };
    await a.put(made);
    await b.pull(a);
    expect((await b.store.get(appRef('a', 'wiki')))?.metadata.annotations).toEqual({ note: 'public' });
  });
});

function stamps(): Partial<ApiObject['metadata']> {
  return { uid: 'u', resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z' };
}
