import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { DOMAINS, DomainController, type DomainControllerOptions, PEERS } from '../../../daemon/src/mesh/controllers/domain-controller.ts';
import { openObjectStore } from '../../../daemon/src/store/object-store.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { silentLogger } from '../../silent-logger.ts';
import { memoryKv } from '../../store/memory-kv.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

it('shows what the mesh knows once the disk has room again, though nothing changes any more, and stops with its owner', async () => {
  const store = await openObjectStore({ kv: memoryKv(), node: 'node0' });
  let isFull = true;
  let tries = 0;
  const list: typeof store.list = (query) => {
    if (query.plural !== PEERS.plural) return store.list(query);
    tries += 1;
    return isFull ? Promise.reject(new DtkdError('DISK_FULL', 'the disk is full')) : store.list(query);
  };
  const controller = new DomainController({
    store: { list, transact: store.transact.bind(store), subscribe: store.subscribe.bind(store), get: store.get.bind(store) },
    mesh: { domains: () => [], domain: () => undefined, onChange: () => () => {} },
    node: { name: 'node0', suffix: '' },
    logger: silentLogger,
  } as unknown as DomainControllerOptions);
  await controller.start();
  expect(tries).toBe(1);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(tries).toBe(2);
  isFull = false;
  await vi.advanceTimersByTimeAsync(5_000);
  expect(tries).toBe(3);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(tries).toBe(3);
  isFull = true;
  const last = controller.refresh();
  await controller.stop();
  await last;
  expect([tries, vi.getTimerCount()]).toEqual([4, 0]);
});

it('shows the domains that are there though one is left meanwhile', async () => {
  const store = await openObjectStore({ kv: memoryKv(), node: 'node0' });
  const view = (name: string) => ({ name, id: name, state: 'Ready', holdsRoot: true, peers: [] });
  const present = new Map(['lab', 'gone'].map((name) => [name, view(name)]));
  const invites = async (name: string) => {
    if (!present.has(name)) throw new DtkdError('NOT_FOUND', `this node is in no domain named "${name}"`);
    present.delete('gone');
    return [];
  };
  const mesh = { domains: () => [...present.values()], domain: (name: string) => present.get(name), invites };
  const controller = new DomainController({
    mesh,
    store,
    node: { name: 'node0' },
    logger: silentLogger,
    now: Date.now,
  } as unknown as DomainControllerOptions);
  await controller.refresh();
  expect((await store.get(controller.refOf('lab')))?.['status']).toBe('Ready');
});

it('shows a domain again whose object was deleted as that of one that is only being joined', async () => {
  const store = await openObjectStore({ kv: memoryKv(), node: 'node0' });
  const view = { name: 'lab', id: 'a', state: 'Ready', holdsRoot: false, peers: [] };
  const mesh = { domains: () => [view], domain: () => view, onChange: () => () => {} };
  const controller = new DomainController({
    mesh,
    store,
    node: { name: 'node0' },
    logger: silentLogger,
    now: Date.now,
  } as unknown as DomainControllerOptions);
  await controller.start();
  await store.transact((tx) => tx.delete(controller.refOf('lab')));
  await vi.advanceTimersByTimeAsync(1_000);
  await controller.stop();
  expect(await store.get(controller.refOf('lab'))).toBeDefined();
});

it('makes no object of a domain that is only being opened, nor takes one for left over', async () => {
  const store = await openObjectStore({ kv: memoryKv(), node: 'node0' });
  const views = [{ name: 'lab', id: 'a', state: 'Removed', holdsRoot: false, peers: [] }];
  const mesh = { domains: () => views, domain: () => views[0] };
  const controller = new DomainController({
    mesh,
    store,
    node: { name: 'node0' },
    logger: silentLogger,
    now: Date.now,
  } as unknown as DomainControllerOptions);
  const shown = async () =>
    (await store.list({ ...DOMAINS, namespace: 'node0', limit: 10 })).items.map(({ metadata, status }) => [metadata.name, status]);
  await controller.refresh();
  views[0] = { name: 'lab', id: 'b', state: 'Joining', holdsRoot: true, peers: [] };
  views[1] = { name: 'new', id: 'c', state: 'Joining', holdsRoot: true, peers: [] };
  await controller.refresh();
  expect(await shown()).toEqual([['lab', 'Removed']]);
  views.length = 0;
  await controller.refresh();
  expect(await shown()).toEqual([]);
});
