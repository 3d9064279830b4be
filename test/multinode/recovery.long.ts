import { cp, rm } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { appsSeen, connected, formDomain, invite, join, peerNamed, publish } from '../harness/domain.ts';
import { ApiFailure, type Site } from '../harness/site.ts';
import { useStage } from '../harness/use-stage.ts';
import { waitFor } from '../wait.ts';

const stage = useStage();

async function start<const Names extends readonly string[]>(...names: Names): Promise<{ [Index in keyof Names]: Site }> {
  return (await stage.current.startAll(...names)) as { [Index in keyof Names]: Site };
}

async function seesExactly(site: Site, apps: readonly string[]): Promise<void> {
  await waitFor(async () => JSON.stringify(await appsSeen(site)) === JSON.stringify([...apps].sort()), {
    what: `${site.name} to show exactly ${apps.join(', ')}`,
  });
}

describe('a founder whose disk is lost', () => {
  it('is replaced with the recovery key on another member', async () => {
    const [founder, heir, member, newcomer] = await start('founder', 'heir', 'member', 'newcomer');
    const { recoveryKey } = await formDomain('club', [founder, heir, member]);
    await publish(member, 'before', 'club');
    await seesExactly(heir, ['member/before']);
    const old = await invite(founder, 'club');
    await founder.kill9();
    await rm(founder.dir, { recursive: true });

    const rotate = (key: string): Promise<unknown> =>
      heir.call(heir.path('dtdomain', 'club', { sub: 'root/rotate' }), { method: 'POST', body: { recoveryKey: key } });
    await expect(rotate(`${recoveryKey.slice(0, -4)}aaaa`)).rejects.toBeInstanceOf(ApiFailure);
    const next = (await rotate(recoveryKey)) as { recoveryKey: string };
    expect(next.recoveryKey).not.toBe(recoveryKey);

    // Old invites are void, at every member that has heard of the rotation.
    await expect(join(newcomer, 'club', heir, old.token)).rejects.toMatchObject({ code: expect.stringMatching(/^TOKEN_(VOID|REVOKED)$/) });
    await waitFor(
      async () =>
        join(newcomer, 'club', member, old.token).then(
          () => false,
          (error: ApiFailure) => error.code === 'TOKEN_VOID',
        ),
      {
        what: 'the other member to refuse the old invite',
      },
    );

    // Members stay, and what they share goes on.
    await publish(member, 'after', 'club');
    await seesExactly(heir, ['member/before', 'member/after']);
    const fresh = await invite(heir, 'club');
    await join(newcomer, 'club', member, fresh.token);
    await connected(newcomer, 'club', [heir, member]);

    // Removal works again, of the lost founder and of a live member.
    for (const name of ['founder', 'member']) {
      const peer = await waitFor(() => peerNamed(heir, 'club', name), { what: `the dtPeer of ${name}` });
      await heir.delete('dtpeer', peer.metadata.name);
      await waitFor(async () => (await newcomer.get('dtpeer', peer.metadata.name)) === undefined, {
        what: `${name} to be gone at the newcomer`,
      });
    }
    await seesExactly(newcomer, []);
  });
});

describe('a data directory', () => {
  it('restored from an old copy takes back what it had published since', async () => {
    const [friend, site] = await start('friend', 'restored');
    await formDomain('backup', [friend, site]);
    await publish(site, 'kept', 'backup');
    await publish(site, 'deleted-since', 'backup');
    await site.stop();
    await cp(site.dir, `${site.dir}.old`, { recursive: true });
    await site.start();
    await site.delete('dtapp', 'deleted-since');
    await publish(site, 'new-since', 'backup');
    await seesExactly(friend, ['restored/kept', 'restored/new-since']);
    await site.stop();

    await rm(site.dir, { recursive: true });
    await cp(`${site.dir}.old`, site.dir, { recursive: true });
    await site.start();
    await connected(site, 'backup', [friend]);
    await seesExactly(site, ['restored/kept', 'restored/new-since']);
    await publish(site, 'newest', 'backup');
    for (const each of [friend, site]) await seesExactly(each, ['restored/kept', 'restored/new-since', 'restored/newest']);
  });
});
