import { expect, it, vi } from 'vitest';
import { DomainController, type DomainControllerOptions } from '../../../daemon/src/mesh/controllers/domain-controller.ts';
import { openObjectStore } from '../../../daemon/src/store/object-store.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { silentLogger } from '../../silent-logger.ts';
import { memoryKv } from '../../store/memory-kv.ts';

it('says that a domain is there whose recovery key nobody saw', async () => {
  const mesh = {
    create: async () => ({ domain: { name: 'lab', id: 'a' }, recoveryKey: 'dtkd-recovery-1-secret' }),
    domain: () => ({ id: 'a' }),
    invite: () => Promise.reject(new DtkdError('DISK_FULL', 'the disk is full', { next: 'Repeat the request.' })),
  };
  const controller = new DomainController({ mesh } as unknown as DomainControllerOptions);
  const error = await controller.found('lab').catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    code: 'DISK_FULL',
    message: 'the domain "lab" is founded, but its object and invite could not be made, and its recovery key is lost: the disk is full',
    next: 'Correct that, then create it again: dtkd domain leave lab && dtkd domain create lab.',
  });
  expect(JSON.stringify(error)).not.toContain('secret');
});

it.each([
  ['nobody has founded it anew', undefined],
  ['another of that name is there', { id: 'b' }],
])('says that somebody else had it left at once, and gives no recovery key of what is gone: %s', async (_, there) => {
  const invite = vi.fn(async () => ({}));
  const mesh = {
    create: async () => ({ domain: { name: 'lab', id: 'a' }, recoveryKey: 'secret' }),
    domain: () => there,
    invite,
    domains: () => [],
  };
  const store = await openObjectStore({ kv: memoryKv(), node: 'node0' });
  const controller = new DomainController({
    mesh,
    store,
    node: { name: 'node0' },
    logger: silentLogger,
  } as unknown as DomainControllerOptions);
  const left = { code: 'CONFLICT', message: 'somebody else had this node leave the domain "lab" at once' };
  await expect(controller.found('lab')).rejects.toMatchObject(left);
  invite.mockRejectedValue(new DtkdError('NOT_FOUND', 'this node is in no domain named "lab"'));
  await expect(controller.found('lab')).rejects.toMatchObject(left);
});
