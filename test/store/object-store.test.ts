import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LocalStore } from '../../daemon/src/store/local-store.types.ts';
import { openObjectStore } from '../../daemon/src/store/object-store.ts';
import type { Change, Participant } from '../../daemon/src/store/object-store.types.ts';
import { DtkdError } from '../../protocol/errors.ts';
import { controlledKv, KV_IMPLEMENTATIONS, NODE, SERVICES, service, serviceRef } from './fixtures.ts';
import { memoryKv } from './memory-kv.ts';

describe.each(KV_IMPLEMENTATIONS)('the object store over $name', ({ open }) => {
  let store: LocalStore;
  let clean: () => Promise<void>;

  beforeEach(async () => {
    const opened = await open();
    clean = opened.clean;
    store = await openObjectStore({ kv: opened.kv, node: NODE });
  });

  afterEach(async () => {
    await store.close();
    await clean();
  });

  it('fills in what the server owns and keeps it on the next write', async () => {
    const before = store.version();
    const made = await store.transact((tx) => tx.put(service('web')));
    expect(made.metadata).toMatchObject({ name: 'web', namespace: NODE, generation: 1, resourceVersion: String(before + 1) });
    expect(made.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
    expect(made.metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(await store.get(serviceRef('web'))).toEqual(made);
    expect(await store.originOf(serviceRef('web'))).toBe('own');

    const changed = await store.transact((tx) => tx.put(service('web', { port: 81 })));
    expect(changed.metadata).toEqual({ ...made.metadata, resourceVersion: String(before + 2) });
  });

  it('keeps a replica exactly as its owner stamped it', async () => {
    const theirs = {
      ...service('web', { namespace: 'node1' }),
      metadata: {
        ...service('web', { namespace: 'node1' }).metadata,
        uid: 'u',
        resourceVersion: '7',
        creationTimestamp: '2020-01-01T00:00:00Z',
      },
    };
    expect(await store.transact((tx) => tx.put(theirs, { origin: 'replica' }))).toEqual(theirs);
    expect(await store.get(serviceRef('web', 'node1'))).toEqual(theirs);
    expect(await store.originOf(serviceRef('web', 'node1'))).toBe('replica');
  });

  it('makes no change of a write that changes nothing', async () => {
    const made = await store.transact((tx) => tx.put(service('web')));
    const version = store.version();
    expect(await store.transact((tx) => tx.put(made))).toEqual(made);
    expect(store.version()).toBe(version);
    await store.transact((tx) => tx.put(made, { origin: 'projection' }));
    expect(store.version()).toBe(version + 1);
  });

  it('deletes, and says whether there was anything', async () => {
    await store.transact((tx) => tx.put(service('web')));
    expect(await store.transact((tx) => tx.delete(serviceRef('web')))).toBe(true);
    expect(await store.transact((tx) => tx.delete(serviceRef('web')))).toBe(false);
    expect(await store.get(serviceRef('web'))).toBeUndefined();
  });

  it('refuses kinds and names that it cannot keep', async () => {
    await expect(store.transact((tx) => tx.put({ ...service('web'), kind: 'Pod' }))).rejects.toMatchObject({ code: 'INVALID' });
    await expect(store.transact((tx) => tx.put(service('a/b')))).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    await expect(store.get(serviceRef('a!b'))).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });

  it('lets a transaction read its own writes and those queued before it', async () => {
    const first = store.transact(async (tx) => {
      await tx.put(service('web'));
      tx.putRow('t/row', Buffer.from('1'));
      return (await tx.get(serviceRef('web')))?.metadata.name;
    });
    const second = store.transact(async (tx) => [
      (await tx.get(serviceRef('web')))?.metadata.name,
      Buffer.from((await tx.getRow('t/row')) ?? []).toString(),
    ]);
    expect(await first).toBe('web');
    expect(await second).toEqual(['web', '1']);
  });

  it('keeps rows of other parts in the same batch, and its own to itself', async () => {
    await store.transact(async (tx) => {
      tx.putRow('t/a', Buffer.from('a'));
      tx.putRow('t/b', Buffer.from('b'));
    });
    await store.transact(async (tx) => {
      tx.clearRows('t/', 't0');
      tx.putRow('t/c', Buffer.from('c'));
      expect(await tx.getRow('t/a')).toBeUndefined();
    });
    expect((await store.kv.page({ gte: 't/', lt: 't0' })).map(([key]) => key)).toEqual(['t/c']);
    for (const key of ['o/x', 'c/x', 'm/x']) {
      await expect(store.transact(async (tx) => tx.putRow(key, Buffer.from('')))).rejects.toMatchObject({ code: 'INTERNAL' });
    }
  });

  it('leaves nothing of a transaction that throws, and does not hurt the others of its group', async () => {
    const version = store.version();
    const results = await Promise.allSettled([
      store.transact((tx) => tx.put(service('one'))),
      store.transact(async (tx) => {
        await tx.put(service('two'));
        tx.putRow('t/two', Buffer.from('x'));
        await tx.delete(serviceRef('one'));
        throw new DtkdError('FORBIDDEN', 'no');
      }),
      store.transact((tx) => tx.put(service('three'))),
    ]);
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((await store.list(SERVICES)).items.map((item) => item.metadata.name)).toEqual(['one', 'three']);
    expect(await store.kv.get('t/two')).toBeUndefined();
    expect(store.version()).toBe(version + 2);
  });

  it('refuses the use of a transaction after its end', async () => {
    const kept = await store.transact(async (tx) => tx);
    await expect(kept.put(service('late'))).rejects.toMatchObject({ code: 'INTERNAL' });
    expect(() => kept.putRow('t/late', Buffer.from(''))).toThrow('after its end');
  });

  it('tells subscribers of each durable commit in version order', async () => {
    const seen: Change[] = [];
    const unsubscribe = store.subscribe((changes) => seen.push(...changes));
    const base = store.version();
    await Promise.all(['a', 'b', 'c'].map((name) => store.transact((tx) => tx.put(service(name)))));
    await store.transact((tx) => tx.put(service('a', { port: 81 })));
    await store.transact((tx) => tx.delete(serviceRef('b')));
    unsubscribe();
    await store.transact((tx) => tx.put(service('d')));
    expect(seen.map((change) => [change.version - base, change.type, change.ref.name])).toEqual([
      [1, 'ADDED', 'a'],
      [2, 'ADDED', 'b'],
      [3, 'ADDED', 'c'],
      [4, 'MODIFIED', 'a'],
      [5, 'DELETED', 'b'],
    ]);
    expect(seen[3]?.previous?.['spec']).toEqual({ ports: [{ protocol: 'TCP', port: 80 }] });
  });

  it('sorts by namespace first', async () => {
    await store.transact(async (tx) => {
      for (const [namespace, name] of [
        ['a-b', 'x'],
        ['a', 'z'],
        ['a.b', 'x'],
        ['a', 'b'],
      ] as const) {
        await tx.put(service(name, { namespace }));
      }
    });
    const names = (await store.list(SERVICES)).items.map((item) => `${item.metadata.namespace}/${item.metadata.name}`);
    expect(names).toEqual(['a/b', 'a/z', 'a-b/x', 'a.b/x']);
    expect((await store.list({ ...SERVICES, namespace: 'a' })).items).toHaveLength(2);
  });

  it("pages with a limit; every page repeats the first page's version", async () => {
    await store.transact(async (tx) => {
      for (let index = 0; index < 25; index++)
        await tx.put(service(`s${String(index).padStart(2, '0')}`, { labels: { odd: String(index % 2) } }));
    });
    const names: string[] = [];
    const versions = new Set<string>();
    let token: string | undefined;
    let pages = 0;
    do {
      const page = await store.list({ ...SERVICES, labelSelector: 'odd=1', limit: 5, ...(token === undefined ? {} : { continue: token }) });
      names.push(...page.items.map((item) => item.metadata.name));
      versions.add(page.resourceVersion);
      token = page.continue;
      pages += 1;
      await store.transact((tx) => tx.put(service('unrelated', { namespace: 'zz', port: pages })));
    } while (token !== undefined);
    expect(names).toEqual(Array.from({ length: 12 }, (_, index) => `s${String(index * 2 + 1).padStart(2, '0')}`));
    expect(versions.size).toBe(1);
    expect(pages).toBe(3);
  });

  it('does not let a continue token lead out of the list', async () => {
    await store.transact(async (tx) => {
      await tx.put(service('a', { namespace: 'n1' }));
      await tx.put(service('b', { namespace: 'n2' }));
    });
    const forged = Buffer.from(JSON.stringify(['', 1])).toString('base64url');
    expect(
      (await store.list({ ...SERVICES, namespace: 'n2', limit: 5, continue: forged })).items.map((item) => item.metadata.name),
    ).toEqual(['b']);
    for (const token of ['x', '!!!', Buffer.from('{}').toString('base64url'), Buffer.from('["a","b"]').toString('base64url')]) {
      await expect(store.list({ ...SERVICES, continue: token })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    }
  });

  it('selects by labels and fields', async () => {
    await store.transact(async (tx) => {
      await tx.put(service('a', { labels: { tier: 'front' } }));
      await tx.put(service('b', { labels: { tier: 'back' } }));
      await tx.put(service('a', { namespace: 'node1' }));
    });
    const names = async (query: object) =>
      (await store.list({ ...SERVICES, ...query })).items.map((item) => `${item.metadata.namespace}/${item.metadata.name}`);
    expect(await names({ labelSelector: 'tier' })).toEqual(['node0/a', 'node0/b']);
    expect(await names({ labelSelector: 'tier!=front' })).toEqual(['node0/b', 'node1/a']);
    expect(await names({ fieldSelector: 'metadata.name=a' })).toEqual(['node0/a', 'node1/a']);
    expect(await names({ fieldSelector: 'metadata.name=a,metadata.namespace=node1' })).toEqual(['node1/a']);
    expect(await names({ fieldSelector: 'metadata.name=a', namespace: NODE })).toEqual(['node0/a']);
    expect(await names({ fieldSelector: 'metadata.name!=a' })).toEqual(['node0/b']);
    await expect(names({ fieldSelector: 'spec.type=x' })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    await expect(names({ labelSelector: 'a in b' })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });
});

describe('group commit', () => {
  it('writes transactions that wait together in one batch', async () => {
    const control = controlledKv(memoryKv());
    const store = await openObjectStore({ kv: control.kv, node: NODE });
    control.batches.length = 0;
    await Promise.all(Array.from({ length: 50 }, (_, index) => store.transact((tx) => tx.put(service(`s${index}`)))));
    expect(control.batches).toHaveLength(1);
    await store.close();
  });

  it('rejects all transactions of a batch that failed and is as before', async () => {
    const control = controlledKv(memoryKv());
    const store = await openObjectStore({ kv: control.kv, node: NODE });
    await store.transact((tx) => tx.put(service('before')));
    const version = store.version();
    const seen = vi.fn();
    store.subscribe(seen);
    control.fail(new DtkdError('DISK_FULL', 'full'));
    const results = await Promise.allSettled(['a', 'b'].map((name) => store.transact((tx) => tx.put(service(name)))));
    expect(results.map((result) => (result.status === 'rejected' ? result.reason.code : 'ok'))).toEqual(['DISK_FULL', 'DISK_FULL']);
    expect(store.version()).toBe(version);
    expect(seen).not.toHaveBeenCalled();
    control.fail(undefined);
    const after = await store.transact((tx) => tx.put(service('after')));
    expect(after.metadata.resourceVersion).toBe(String(version + 1));
    expect((await store.list(SERVICES)).items.map((item) => item.metadata.name)).toEqual(['after', 'before']);
    await store.close();
  });

  it('shows in a list exactly its version while a batch is on its way', async () => {
    const control = controlledKv(memoryKv());
    const store = await openObjectStore({ kv: control.kv, node: NODE });
    const version = store.version();
    const release = control.hold();
    const write = store.transact((tx) => tx.put(service('web')));
    await new Promise((resolve) => setImmediate(resolve));
    const list = store.list(SERVICES);
    release();
    await write;
    expect(await list).toMatchObject({ resourceVersion: String(version + 1), items: [{ metadata: { name: 'web' } }] });
    await store.close();
  });

  it('finishes what waits when it closes, and refuses what comes later', async () => {
    const kv = memoryKv();
    const store = await openObjectStore({ kv, node: NODE });
    const write = store.transact((tx) => tx.put(service('web')));
    const closing = store.close();
    await expect(store.transact((tx) => tx.put(service('late')))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect((await write).metadata.name).toBe('web');
    await closing;
  });
});

describe('participants', () => {
  function recorder(name: string, calls: string[], refuse: (changes: readonly Change[]) => boolean = () => false): Participant {
    const names = (changes: readonly Change[]) => changes.map((change) => change.ref.name).join('+');
    return {
      async prepare(changes, tx) {
        if (refuse(changes)) throw new DtkdError('QUOTA_EXCEEDED', 'too much');
        tx.putRow(`t/${name}/${names(changes)}`, Buffer.from('entry'));
        calls.push(`${name} prepare ${names(changes)}`);
      },
      committed: (changes) => calls.push(`${name} committed ${names(changes)}`),
      aborted: (changes) => calls.push(`${name} aborted ${names(changes)}`),
    };
  }

  it('write into the same batch, and are told how it went', async () => {
    const calls: string[] = [];
    const store = await openObjectStore({ kv: memoryKv(), node: NODE });
    store.addParticipant(recorder('p', calls));
    await store.transact(async (tx) => {
      await tx.put(service('a'));
      await tx.put(service('b'));
    });
    await store.transact(async (tx) => tx.putRow('t/only-a-row', Buffer.from('')));
    expect(calls).toEqual(['p prepare a+b', 'p committed a+b']);
    expect(await store.kv.get('t/p/a+b')).toBeDefined();
    await store.close();
  });

  it('may refuse; those that had prepared are told', async () => {
    const calls: string[] = [];
    const store = await openObjectStore({ kv: memoryKv(), node: NODE });
    store.addParticipant(recorder('p', calls));
    store.addParticipant(recorder('q', calls, (changes) => changes.some((change) => change.ref.name === 'bad')));
    const results = await Promise.allSettled(['good', 'bad', 'fine'].map((name) => store.transact((tx) => tx.put(service(name)))));
    expect(results.map((result) => (result.status === 'rejected' ? result.reason.code : 'ok'))).toEqual(['ok', 'QUOTA_EXCEEDED', 'ok']);
    expect(calls.filter((call) => call.endsWith('bad'))).toEqual(['p prepare bad', 'p aborted bad']);
    expect(await store.kv.get('t/p/bad')).toBeUndefined();
    await store.close();
  });

  it('are told of a batch that failed', async () => {
    const calls: string[] = [];
    const control = controlledKv(memoryKv());
    const store = await openObjectStore({ kv: control.kv, node: NODE });
    store.addParticipant(recorder('p', calls));
    control.fail(new DtkdError('DISK_FULL', 'full'));
    await expect(store.transact((tx) => tx.put(service('a')))).rejects.toMatchObject({ code: 'DISK_FULL' });
    expect(calls).toEqual(['p prepare a', 'p aborted a']);
    await store.close();
  });
});
