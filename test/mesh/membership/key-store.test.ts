import { describe, expect, it } from 'vitest';
import { createDomain } from '../../../daemon/src/mesh/membership/create-domain.ts';
import { forgetMembership } from '../../../daemon/src/mesh/membership/item-rows.ts';
import { type DomainRecord, KeyStore } from '../../../daemon/src/mesh/membership/key-store.ts';
import { parseDomainId, parseNodeName } from '../../../protocol/ids.ts';
import { generateSigningKey } from '../../../protocol/keys/signing.ts';
import { parseToken } from '../../../protocol/membership/token.ts';
import { memoryKv } from '../../store/memory-kv.ts';
import { foundSite } from './site.ts';

function record(byte: string, order: number): DomainRecord {
  return {
    domain: parseDomainId(byte.repeat(32)),
    name: `d${byte}`,
    self: generateSigningKey(),
    nodeName: parseNodeName('node0'),
    order,
    joinedAt: 5,
  };
}

describe('the key store', () => {
  it('keeps what a node is in each domain, in order, and forgets one wholly', async () => {
    const kv = memoryKv();
    const keys = new KeyStore(kv);
    const [first, second] = [record('ff', 0), record('aa', 1)];
    const root = generateSigningKey();
    await kv.batch(
      [
        ...keys.recordOps(second),
        ...keys.recordOps(first),
        ...keys.secretsOf(first.domain).rootOps(root),
        ...keys.portOps(second.domain, 7702),
      ],
      {
        sync: true,
      },
    );
    await kv.batch(keys.secretsOf(first.domain).tokenOps('cd'.repeat(32), 'a token'), { sync: true });
    const listed = await keys.list();
    expect(listed.map(({ name, port }) => [name, port])).toEqual([
      ['dff', undefined],
      ['daa', 7702],
    ]);
    expect(listed[0]?.self.publicKey).toBe(first.self.publicKey);
    expect(listed[0]?.root?.publicKey).toBe(root.publicKey);
    expect([...(await keys.tokens(first.domain))]).toEqual([['cd'.repeat(32), 'a token']]);
    await kv.batch(keys.forgetOps(first.domain), { sync: true });
    expect(await keys.get(first.domain)).toBeUndefined();
    expect((await keys.tokens(first.domain)).size).toBe(0);
    expect((await keys.get(second.domain))?.name).toBe('daa');
  });

  it('gets the token with its invite, loses it with the revocation, and the root key with the rotation', async () => {
    const founder = await foundSite();
    const keys = new KeyStore(founder.kv);
    const { domain } = founder.membership;
    const { grant, token } = await founder.membership.invite({ hints: [] });
    const { grant: second } = await founder.membership.invite({ hints: [] });
    expect((await keys.tokens(domain)).get(grant)).toBe(token);
    expect(parseToken(token).grant.id).toBe(grant);
    await founder.membership.revoke(grant.slice(0, 16));
    expect([...(await keys.tokens(domain)).keys()]).toEqual([second]);
    await founder.membership.rotate(founder.recoveryKey);
    expect((await keys.tokens(domain)).size).toBe(0);
    const rows = await founder.kv.page({ gte: `k/${domain}/root`, lt: `k/${domain}/root0` });
    expect(rows).toHaveLength(1);
    expect(founder.membership.holdsRoot()).toBe(true);
    await founder.kv.batch(forgetMembership(domain), { sync: true });
    expect(await founder.kv.page({ gte: 'd/', lt: 'd0' })).toEqual([]);
  });
});

describe('founding', () => {
  it('needs a domain name and a node name', () => {
    const self = generateSigningKey().publicKey;
    expect(() => createDomain({ name: 'No', nodeName: 'node0', self, now: 1 })).toThrowError(
      expect.objectContaining({ code: 'NAME_INVALID' }),
    );
    expect(() => createDomain({ name: 'yes', nodeName: 'default', self, now: 1 })).toThrowError(
      expect.objectContaining({ code: 'NAME_INVALID' }),
    );
    const [a, b] = [createDomain({ name: 'yes', nodeName: 'n', self, now: 1 }), createDomain({ name: 'yes', nodeName: 'n', self, now: 1 })];
    expect(a.domain).not.toBe(b.domain);
    expect(a.recoveryKey).toMatch(/^dtkd-recovery-1-/);
  });
});
