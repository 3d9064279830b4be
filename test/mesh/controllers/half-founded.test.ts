import { expect, it } from 'vitest';
import { DomainController, type DomainControllerOptions } from '../../../daemon/src/mesh/controllers/domain-controller.ts';
import { DtkdError } from '../../../protocol/errors.ts';

it('says that a domain is there whose recovery key nobody saw', async () => {
  const mesh = {
    create: async () => ({ recoveryKey: 'dtkd-recovery-1-secret' }),
    invite: () => Promise.reject(new DtkdError('DISK_FULL', 'the disk is full', { next: 'Repeat the request.' })),
  };
  const controller = new DomainController({ mesh } as unknown as DomainControllerOptions);
  const error = await controller.found('lab').catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    code: 'DISK_FULL',
    message: 'the domain "lab" is founded, but its object and invite could not be made, and its recovery key is lost: the disk is full',
    next: 'Mend that, then found it anew: dtkd domain leave lab && dtkd domain create lab.',
  });
  expect(JSON.stringify(error)).not.toContain('secret');
});
