import { describe, expect, it } from 'vitest';
import { domainHandlers } from '../../../daemon/src/mesh/controllers/domain-api.ts';
import type { DomainController } from '../../../daemon/src/mesh/controllers/domain-controller.ts';
import type { Mesh } from '../../../daemon/src/mesh/mesh.types.ts';
import type { ApiObject } from '../../../protocol/objects.ts';

/** Handlers over a mesh that notes what is done to it. */
function handlers(isMember: boolean) {
  const done: string[] = [];
  const mesh = {
    domain: () => (isMember ? { holdsRoot: true } : undefined),
    leave: async (name: string) => void done.push(`leave ${name}`),
    removePeer: async () => void done.push('remove peer'),
  };
  const controller = {
    joiner: { cancel: (name: string) => void done.push(`cancel ${name}`) },
    refresh: async () => void done.push('refresh'),
    found: async (name: string) => void done.push(`found ${name}`),
  };
  const parts = { mesh: mesh as unknown as Mesh, controller: controller as unknown as DomainController };
  return { done, ...domainHandlers(parts) };
}

const metadata = { name: 'mydomain', namespace: 'node0', uid: 'u', resourceVersion: '1', generation: 1, creationTimestamp: '' };
const domain: ApiObject = { apiVersion: 'sid.sightlineinnovation.com/v1', kind: 'dtDomain', metadata };
const context = (dryRun: boolean) => ({
  principal: { type: 'operator' as const, name: 'operator' as const },
  dryRun,
  cascade: false,
  warn: () => undefined,
});

describe('a trial', () => {
  it('founds no domain, leaves none, and ends no joining', async () => {
    for (const isMember of [true, false]) {
      const { done, dtDomain } = handlers(isMember);
      await dtDomain.delete(domain, context(true));
      if (!isMember) await dtDomain.create(domain, context(true));
      expect(done).toEqual([]);
    }
  });

  it('removes no peer', async () => {
    const { done, dtPeer } = handlers(true);
    await dtPeer.delete({ ...domain, kind: 'dtPeer', dtDomain: 'mydomain', id: 'ab'.repeat(16) }, context(true));
    expect(done).toEqual([]);
  });

  it('is not the thing itself', async () => {
    const joining = handlers(false);
    await joining.dtDomain.delete(domain, context(false));
    expect(joining.done).toEqual(['cancel mydomain']);
    const member = handlers(true);
    await member.dtDomain.delete(domain, context(false));
    expect(member.done).toEqual(['cancel mydomain', 'leave mydomain', 'refresh']);
  });
});
