import { describe, expect, it } from 'vitest';
import { alreadyIn } from '../../../daemon/src/mesh/already-in.ts';
import { domainActions, domainHandlers } from '../../../daemon/src/mesh/controllers/domain-api.ts';
import type { DomainController } from '../../../daemon/src/mesh/controllers/domain-controller.ts';
import type { Mesh } from '../../../daemon/src/mesh/mesh.types.ts';
import { parseToken } from '../../../protocol/membership/token.ts';
import type { ApiObject } from '../../../protocol/objects/objects.ts';
import { someToken } from '../../cli/token.ts';

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

describe('a domain that this node is in already', () => {
  const token = someToken('mydomain');
  const { domain: id } = parseToken(token);

  async function join(view: object) {
    const joined: string[] = [];
    const controller = { shown: async () => domain, join: async () => void joined.push('joined') };
    const mesh = { domain: () => view };
    const join = domainActions({ mesh: mesh as unknown as Mesh, controller: controller as unknown as DomainController }).get('join');
    const body = { address: '192.0.2.1', token };
    const answer = await join?.({ name: 'mydomain', rest: [], method: 'POST', body, signal: new AbortController().signal });
    return { joined, answer };
  }

  it('is joined again without doing anything, and anew after a removal', async () => {
    expect(await join({ id, state: 'Ready' })).toEqual({ joined: [], answer: { domain, already: true } });
    for (const other of [
      { id, state: 'Removed' },
      { id: 'ab'.repeat(32), state: 'Ready' },
    ])
      expect((await join(other)).joined).toEqual(['joined']);
  });

  it('is not to be left on that account', () => {
    for (const holdsRoot of [true, false]) expect(alreadyIn({ name: 'mydomain', holdsRoot, state: 'Ready' }).next).not.toContain('leave');
    expect(alreadyIn({ name: 'mydomain', holdsRoot: true, state: 'Ready' }).next).toContain('dtkd domain invite mydomain');
  });
});

describe('times in answers about a domain', () => {
  it('have the form of those in objects', async () => {
    const at = Date.parse('2026-01-02T03:04:05.678Z');
    const never = 2 ** 53;
    const peers = [{ name: 'a', since: at }, { name: 'b' }];
    const invites = [
      { id: '1', expires: at },
      { id: '2', expires: never },
    ];
    const actions = domainActions({
      mesh: {
        domain: () => ({ name: 'mydomain', peers }),
        invites: async () => invites,
        invite: async () => invites[0],
      } as unknown as Mesh,
      controller: { refresh: async () => undefined } as unknown as DomainController,
    });
    const act = (what: string, method: string) =>
      actions.get(what)?.({ name: 'mydomain', rest: [], method, body: undefined, signal: new AbortController().signal } as never);
    const time = '2026-01-02T03:04:05.678Z';
    expect(await act('members', 'GET')).toEqual({ name: 'mydomain', peers: [{ name: 'a', since: time }, { name: 'b' }] });
    expect(await act('invites', 'GET')).toMatchObject({ items: [{ expires: time }, { expires: expect.stringMatching(/Z$/) }] });
    expect(await act('invites', 'POST')).toMatchObject({ expires: time });
  });
});

describe('an invite', () => {
  const ask = (body: object) =>
    domainActions({
      mesh: { domain: () => ({ name: 'mydomain' }) } as unknown as Mesh,
      controller: {} as DomainController,
    }).get('invites')?.({ name: 'mydomain', rest: [], method: 'POST', body, signal: new AbortController().signal } as never);

  it('that would live too long, or be for too many, is told its limits as people know them', async () => {
    await expect(ask({ expires: 10_000 * 86_400_000 })).rejects.toThrow('expires: must be at least a second, and at most a year (366d)');
    await expect(ask({ uses: 5000 })).rejects.toThrow('uses: must be 1 to 1000 machines');
  });
});
