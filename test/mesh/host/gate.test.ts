import type { Connection } from '@libp2p/interface';
import { describe, expect, it, vi } from 'vitest';
import { Gate } from '../../../daemon/src/mesh/host/gate.ts';
import type { Components, Registrar } from '../../../daemon/src/mesh/host/libp2p-components.ts';
import type { LibLink } from '../../../daemon/src/mesh/host/libp2p-link.ts';

describe('a connection behind the gate', () => {
  it('leaves nothing in the store of peers, and shows two protocols, until it is admitted', async () => {
    const merged: unknown[] = [];
    const components = {
      registrar: { getProtocols: () => ['/hello', '/sync'] },
      peerStore: { merge: async (peer: unknown) => void merged.push(peer), has: async () => true },
    } as unknown as Components;
    const connection = { components, streams: [] } as unknown as Connection & { components: Components };
    const link = { admitted: false };
    const gate = new Gate(() => link as unknown as LibLink);
    gate.openToStrangers('/hello');
    gate.narrow(connection, components);
    const peer = {} as Parameters<Components['peerStore']['merge']>[0];
    await connection.components.peerStore.merge(peer, {});
    expect(merged).toEqual([]);
    expect(connection.components.registrar.getProtocols()).toEqual(['/hello']);
    expect(await connection.components.peerStore.has(peer)).toBe(true);
    link.admitted = true;
    await connection.components.peerStore.merge(peer, {});
    expect(merged).toEqual([peer]);
    expect(connection.components.registrar.getProtocols()).toEqual(['/hello', '/sync']);
  });

  it('notes what a member speaks once in a while, and not with each stream', async () => {
    const merged: unknown[] = [];
    const components = {
      registrar: { getProtocols: () => [] },
      peerStore: { merge: async (_peer: unknown, data: unknown) => void merged.push(data) },
    } as unknown as Components;
    const connection = { components, streams: [] } as unknown as Connection & { components: Components };
    new Gate(() => ({ admitted: true }) as unknown as LibLink).narrow(connection, components);
    const peer = {} as Parameters<Components['peerStore']['merge']>[0];
    const merge = (data: Parameters<Components['peerStore']['merge']>[1]) => connection.components.peerStore.merge(peer, data);
    const now = vi.spyOn(performance, 'now').mockReturnValue(1_000);
    const sync = { protocols: ['/sync'] };
    const more = { protocols: ['/sync', '/dispatch'] };
    const tagged = { protocols: ['/sync'], tags: {} };
    for (const data of [sync, sync, more, more, tagged]) await merge(data);
    expect(merged).toEqual([sync, more, tagged]);
    now.mockReturnValue(100_000);
    await merge(sync);
    expect(merged).toEqual([sync, more, tagged, sync]);
    now.mockRestore();
  });
});

describe('a registrar behind the gate', () => {
  it('ends a protocol though libp2p cannot write its list of protocols', async () => {
    const broken = new TypeError('The "string" argument must be of type string. Received undefined');
    const ended: unknown[] = [];
    const registrar: Registrar = {
      getProtocols: () => [],
      handle: async () => {},
      unhandle: (protocols) => {
        ended.push(protocols);
        return Promise.reject(broken);
      },
    };
    const failures: unknown[] = [];
    new Gate(() => undefined).guard(registrar, (error) => failures.push(error));
    await registrar.unhandle('/meshsub/1.2.0');
    expect(ended).toEqual(['/meshsub/1.2.0']);
    expect(failures).toEqual([broken]);
  });
});
