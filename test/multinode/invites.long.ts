import { beforeAll, describe, expect, it } from 'vitest';
import { connected, found, invite, join, peers } from '../harness/domain.ts';
import { ApiFailure, type Site } from '../harness/site.ts';
import { useStage } from '../harness/use-stage.ts';
import { waitFor } from '../wait.ts';

const stage = useStage();

async function codeOf(attempt: Promise<unknown>): Promise<string | undefined> {
  try {
    await attempt;
  } catch (error) {
    if (error instanceof ApiFailure) return error.code;
    throw error;
  }
  return 'accepted';
}

describe('invites', () => {
  let founder: Site;
  let node1: Site;
  let node2: Site;
  let node3: Site;

  beforeAll(async () => {
    [founder, node1, node2, node3] = (await stage.current.startAll('founder', 'node1', 'node2', 'node3')) as [Site, Site, Site, Site];
    await found(founder, 'club');
  });

  async function unchanged(): Promise<void> {
    expect(await node3.list('dtdomains')).toEqual([]);
    expect((await peers(founder, 'club')).some((peer) => String(peer['name']).startsWith('node3'))).toBe(false);
  }

  it('says what is wrong with a token, each in its own words, and changes nothing', async () => {
    const { token } = await invite(founder, 'club');
    expect(await codeOf(join(node3, 'club', founder, 'nonsense'))).toBe('TOKEN_MALFORMED');
    expect(await codeOf(join(node3, 'club', founder, token.slice(0, -40)))).toBe('TOKEN_MALFORMED');
    expect(await codeOf(join(node3, 'another', founder, token))).toBe('TOKEN_WRONG_DOMAIN');

    const brief = await invite(founder, 'club', { expires: 1_000 });
    await waitFor(() => Date.now() > Date.parse(brief.expires), { what: 'the invite to expire' });
    expect(await codeOf(join(node3, 'club', founder, brief.token))).toBe('TOKEN_EXPIRED');

    const revoked = await invite(founder, 'club');
    await founder.call(founder.path('dtdomain', 'club', { sub: `invites/${revoked.id}` }), { method: 'DELETE' });
    expect(await codeOf(join(node3, 'club', founder, revoked.token))).toBe('TOKEN_REVOKED');
    await unchanged();
  });

  it('says what is wrong with an address, and changes nothing', async () => {
    const { token } = await invite(founder, 'club');
    const origin = await stage.current.origin();
    await found(node2, 'elsewhere');
    expect(await codeOf(join(node3, 'club', 'not an address', token))).toBe('ADDRESS_INVALID');
    expect(await codeOf(join(node3, 'club', node2, token))).toBe('NOT_A_MEMBER');
    expect(await codeOf(join(node2, 'club', node2, token))).toBe('OURSELVES');
    // The token's own hints lead to the founder, so the joiner would find it in spite of a wrong address.
    await founder.stop();
    expect(await codeOf(join(node3, 'club', '127.0.0.1:1', token))).toBe('ADDRESS_UNREACHABLE');
    expect(await codeOf(join(node3, 'club', `127.0.0.1:${origin.port}`, token))).toBe('NOT_DTKD');
    await founder.start();
    await unchanged();
  });

  it('refuses a name that is taken', async () => {
    const twin = await stage.current.start({ name: 'founder' });
    const { token } = await invite(founder, 'club');
    expect(await codeOf(join(twin, 'club', founder, token))).toBe('NAME_TAKEN');
    await twin.stop();
  });

  it('admits two with a two-use token, also through a member while the founder is away, and refuses the third as used up', async () => {
    const { token } = await invite(founder, 'club', { uses: 2 });
    await join(node1, 'club', founder, token);
    await founder.stop();
    await join(node2, 'club', node1, token);
    expect(await codeOf(join(node3, 'club', node1, token))).toBe('TOKEN_USED_UP');
    expect(await node3.list('dtdomains')).toEqual([]);
    await Promise.all([connected(node1, 'club', [node2]), connected(node2, 'club', [node1])]);

    await founder.start();
    const sites = [founder, node1, node2];
    await Promise.all(sites.map((site) => connected(site, 'club', sites)));
    expect(await codeOf(join(node3, 'club', founder, token))).toBe('TOKEN_USED_UP');
  });
});
