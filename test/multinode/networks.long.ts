/** What docs/networks.md promises, over real networks: sites behind NAT, a member in public, and routers that let in nothing that was not asked for. */
import { writeFile } from 'node:fs/promises';
import { join as joinPath } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { appDocument, connected, copyOf, expose, found, invite, join, peerNamed, uriOf } from '../harness/domain.ts';
import { forwardMeshPort, type Nat, natMissing, refuseMeshPort, routeWithNat } from '../harness/nat.ts';
import type { Network } from '../harness/network.ts';
import type { Site, SiteOptions } from '../harness/site.ts';
import { useStage } from '../harness/use-stage.ts';
import { addUser, grant, modelDocument } from '../harness/user.ts';
import { waitFor } from '../wait.ts';

const stage = useStage({ story: true });
const why = natMissing();

const WEST: Nat = { router: 'westrouter', inner: 'west', outer: 'internet', behind: ['one', 'two'] };
const EAST: Nat = { router: 'eastrouter', inner: 'east', outer: 'internet', behind: ['three'] };
/** A direct way is tried again after 30 s at most. */
const PATH_CHANGES_MS = 120_000;

describe.skipIf(why !== undefined)(`a domain over public and private networks${why === undefined ? '' : ` (SKIPPED: ${why})`}`, () => {
  let network: Network;
  let hub: Site;
  let one: Site;
  let two: Site;
  let three: Site;
  let token: string;
  let hosts: string;

  beforeAll(async () => {
    network = await stage.current.network({
      segments: {
        internet: ['hub', 'westrouter', 'eastrouter', 'four'],
        west: ['westrouter', 'one', 'two'],
        east: ['eastrouter', 'three'],
      },
    });
    await Promise.all([WEST, EAST].map((nat) => routeWithNat(network, nat)));
    hosts = joinPath(stage.current.directory, 'hosts');
    await nameEast();
    [hub, one, two, three] = (await Promise.all(['hub', 'one', 'two', 'three'].map((name) => start(name)))) as [Site, Site, Site, Site];
    await found(hub, 'wan');
    token = (await invite(hub, 'wan', { uses: 4 })).token;
  });

  it('refuses to join through a firewall that lets nobody in, and says so', async () => {
    await refuseMeshPort(network, 'hub', true);
    const refused = await one.cli('domain', 'join', network.address('hub'), token);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('its mesh port is open');
    await refuseMeshPort(network, 'hub', false);
  });

  it('lets sites behind NAT join through a public member, with no port forwarded', async () => {
    for (const site of [one, two, three]) {
      expect(await site.cli('domain', 'join', network.address('hub'), token)).toMatchObject({ code: 0 });
      expect(await pathOf(site, 'hub')).toBe('direct');
      expect(await pathOf(hub, site.name)).toBe('direct');
    }
    const shown = await one.cli('domain', 'show', 'wan');
    expect(shown.stdout).toMatch(new RegExp(`hub \\(founder\\) +connected +\\S+ +direct +${network.address('hub')}`));
  });

  it('connects two sites behind one router directly, and those behind two routers through the public member', async () => {
    const sites = [hub, one, two, three];
    await Promise.all(sites.map((site) => connected(site, 'wan', sites)));
    await waitFor(async () => (await pathOf(one, 'two')) === 'direct', {
      what: 'one and two to meet in their network',
      timeoutMs: PATH_CHANGES_MS,
    });
    expect(await pathOf(one, 'three')).toBe('relayed');
    expect((await one.cli('domain', 'show', 'wan')).stdout).toMatch(/three +connected +\S+ +relayed/);
  });

  it('carries what is shared around a path that loses large packets, as a tunnel with a smaller MTU does', async () => {
    const large = ['OUTPUT', '-d', network.address('two', 'west'), '-p', 'tcp', '-m', 'length', '--length', '700:65535', '-j', 'DROP'];
    await network.run('one', 'iptables', '-A', ...large);
    const document = appDocument('large', ['wan']);
    await one.create({ ...document, metadata: { name: 'large', annotations: { padding: 'x'.repeat(15_000) } } });
    await waitFor(() => copyOf(two, 'large', 'one'), { what: 'the object to come through the hub', timeoutMs: PATH_CHANGES_MS });
    await waitFor(async () => (await pathOf(one, 'two')) === 'relayed', { what: 'the direct way to be given up' });
    await waitFor(
      async () => (await one.cli('doctor')).stdout.includes('two is reached through other members only: it accepts connections'),
      {
        what: 'the doctor to say why',
      },
    );
    await network.run('one', 'iptables', '-D', ...large);
    await connected(one, 'wan', [hub, two]);
  });

  it('serves an app of a site behind NAT to all others', async () => {
    const origin = await stage.current.origin({ name: 'behind-nat', netns: network.inside('one').netns });
    await expose(one, 'desk', origin, 'wan');
    for (const site of [hub, two, three]) {
      const uri = await uriOf(site, 'desk', one);
      expect(await site.fetchUri(uri)).toMatchObject({ status: 200, body: 'hello from behind-nat\n' });
    }
  });

  it('answers questions and runs commands of users behind another NAT', async () => {
    const ops = await addUser(three, 'ops');
    await one.create(modelDocument('desk'));
    await grant(one, ops, ['READ'], { kind: 'models' });
    await grant(one, ops, ['EXECUTE'], { kind: 'exec' });
    await waitFor(async () => (await ops.statusOf('model', 'desk', 'one')) === 200, { what: 'three to read what one has' });
    expect(await ops.cli('exec', '-I', 'name=one', '--raw', '--', 'echo', 'from behind')).toMatchObject({
      code: 0,
      stdout: 'from behind\n',
    });
  });

  it('takes the direct way once a port is forwarded and the address is announced', async () => {
    await forwardMeshPort(network, EAST, 'three');
    await three.stop();
    three = await start('three', { args: ['--announce', network.address('eastrouter')], dir: three.dir });
    await direct(one, 'three');
    expect((await one.cli('domain', 'show', 'wan')).stdout).toContain(network.address('eastrouter'));
  });

  it('follows an announced name to where it leads now', async () => {
    await three.stop();
    three = await start('three', { args: ['--announce', 'east.example'], dir: three.dir });
    await direct(one, 'three');
    // A line that is put through again, under another address.
    await network.linkDown('eastrouter', 'internet');
    await waitFor(async () => (await pathOf(one, 'three')) !== 'direct', { what: 'one to miss three', timeoutMs: PATH_CHANGES_MS });
    await network.readdress('eastrouter', 'internet', 99);
    await nameEast();
    await network.linkUp('eastrouter', 'internet');
    await direct(one, 'three');
    await connected(hub, 'wan', [three]);
  });

  it('uses IPv6 where there is some', async () => {
    for (const [site, address] of [
      ['hub', 'fd00:d7::1'],
      ['four', 'fd00:d7::4'],
    ] as const)
      await network.run(site, 'ip', '-6', 'address', 'add', `${address}/64`, 'dev', 'eth0', 'nodad');
    const four = await start('four', { mesh: '[fd00:d7::4]:7701' });
    await join(four, 'wan', '[fd00:d7::1]:7701', token);
    expect(await pathOf(four, 'hub')).toBe('direct');
    await connected(one, 'wan', [hub, four]);
  });

  /** Hosts of a test have no name server: their names stand in a file, which is theirs alone. */
  async function start(name: string, options: Partial<SiteOptions> = {}): Promise<Site> {
    const wrapper = ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /etc/hosts && exec "$@"', hosts];
    return stage.current.start({ name, inside: network.inside(name), mesh: '7701', wrapper, ...options });
  }

  async function nameEast(): Promise<void> {
    await writeFile(hosts, `127.0.0.1 localhost\n${network.address('eastrouter', 'internet')} east.example\n`);
  }

  async function pathOf(site: Site, name: string): Promise<unknown> {
    return (await peerNamed(site, 'wan', name))?.['path'];
  }

  async function direct(site: Site, name: string): Promise<void> {
    await waitFor(async () => (await pathOf(site, name)) === 'direct', {
      what: `${site.name} to reach ${name} directly`,
      timeoutMs: PATH_CHANGES_MS,
    });
  }
});
