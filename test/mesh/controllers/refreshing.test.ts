import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { DomainController, type DomainControllerOptions, PEERS } from '../../../daemon/src/mesh/controllers/domain-controller.ts';
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
