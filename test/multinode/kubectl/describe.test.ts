/** kubectl describe of every kind, with Events, and kubectl events, against real daemons. */
import { beforeAll, describe, expect, it } from 'vitest';
import { KINDS } from '../../../protocol/kinds/index.ts';
import { formDomain } from '../../harness/domain.ts';
import { type Kubectl, kubectlOf, NO_KUBECTL } from '../../harness/kubectl.ts';
import type { Site } from '../../harness/site.ts';
import { useStage } from '../../harness/use-stage.ts';
import { addUser, grant } from '../../harness/user.ts';
import { waitFor } from '../../wait.ts';

const stage = useStage();
const APP = 'dtapp.sid.sightlineinnovation.com';

describe.skipIf(NO_KUBECTL)(`kubectl describe${NO_KUBECTL === undefined ? '' : ` (SKIPPED: ${NO_KUBECTL})`}`, () => {
  let node0: Site;
  let kubectl: Kubectl;

  beforeAll(async () => {
    const [first, second] = await Promise.all([stage.current.start({ name: 'node0' }), stage.current.start({ name: 'node1' })]);
    node0 = first;
    kubectl = await kubectlOf(node0);
    await formDomain('mydomain', [node0, second]);
    const web = { metadata: { name: 'web' }, apiVersion: 'v1' };
    await kubectl.send(
      {
        apiVersion: 'v1',
        kind: 'List',
        items: [
          { ...web, kind: 'Service', spec: { ports: [{ port: 80, targetPort: 12345 }] } },
          { ...web, kind: 'Endpoints', subsets: [{ addresses: [{ ip: '10.1.2.3' }, { ip: 'fd00::1' }], ports: [{ port: 12345 }] }] },
          {
            apiVersion: 'sid.sightlineinnovation.com/v1',
            kind: 'dtApp',
            metadata: { name: 'wiki' },
            serviceSelector: { name: 'none' },
            domainSelector: { name: ['mydomain'] },
          },
          { apiVersion: 'dtkd.dev/v1', kind: 'Model', metadata: { name: 'shop' }, spec: { description: 'a shop' } },
        ],
      },
      'apply',
      '-f',
      '-',
    );
  });

  const eventually = (what: string, read: () => Promise<string>, pattern: RegExp) =>
    waitFor(async () => pattern.test(await read()), { what });

  it('shows the Endpoints of a Service', async () => {
    const text = await kubectl.out('describe', 'service', 'web');
    expect(text).toMatch(/^Endpoints: +10\.1\.2\.3:12345,\[?fd00::1\]?:12345$/m);
    expect(await kubectl.out('get', 'endpointslices')).toMatch(/^web-ipv4 +IPv4 +12345 +10\.1\.2\.3 /m);
    expect(await kubectl.out('describe', 'endpointslice', 'web-ipv4')).toMatch(/AddressType: +IPv4/);
  });

  it('is readable for every kind of which there is something', async () => {
    const kinds = KINDS.map(({ group, plural }) => (group === '' ? plural : `${plural}.${group}`));
    const { code, stdout, stderr } = await kubectl.run('describe', kinds.join(','));
    // of what belongs to no node's namespace, other nodes would be asked for Events
    expect([code, stderr.replace(/^Warning: node1 was not asked: .*\n/gm, '')]).toEqual([0, '']);
    for (const { kind } of KINDS.filter((each) => ['dtDomain', 'dtPeer', 'dtApp', 'Model', 'Node'].includes(each.kind))) {
      expect(stdout).toMatch(new RegExp(`^Kind: +${kind}$`, 'm'));
    }
    expect(stdout).not.toContain('map[');
  });

  it('tells Events: an app that is not ready and then is, members, the node', async () => {
    await eventually('the app to fail', () => kubectl.out('describe', APP, 'wiki'), /Events:\n(.*\n)+.*Warning +NoService/);
    await kubectl.out('patch', APP, 'wiki', '--type=merge', '-p', '{"serviceSelector":{"name":"web"}}');
    await eventually('the app to be ready', () => kubectl.out('describe', APP, 'wiki'), /Normal +Ready +.*it can be reached at http/);
    await eventually('the member', () => kubectl.out('describe', 'dtdomain', 'mydomain'), /Normal +MemberAdded +.*node1/);
    await kubectl.out('patch', 'nodes.dtkd.dev', 'node0', '--type=merge', '-p', '{"spec":{"maintenance":{"reason":"disks"}}}');
    await eventually('maintenance', () => kubectl.out('describe', 'nodes.dtkd.dev', 'node0'), /Normal +MaintenanceBegan +.*disks/);
  });

  it('events are listed, selected and followed', async () => {
    expect(await kubectl.out('events')).toMatch(/^LAST SEEN +TYPE +REASON +OBJECT +MESSAGE/);
    expect(await kubectl.out('events', '--for', `${APP}/wiki`)).toMatch(/NoService +dtApp\/wiki/);
    expect(await kubectl.out('events', '--types=Warning')).not.toMatch(/Normal/);
    const about = await kubectl.out(
      'get',
      'events',
      '--field-selector',
      'involvedObject.name=wiki,type=Warning',
      '-o',
      'jsonpath={.items[*].reason}',
    );
    expect(about).toBe('NoService');
    const watch = kubectl.start('get', 'events', '-w', '--field-selector', 'involvedObject.name=node0');
    await kubectl.out('patch', 'nodes.dtkd.dev', 'node0', '--type=merge', '-p', '{"spec":{"maintenance":null}}');
    await waitFor(() => watch.stdout.includes('MaintenanceEnded'), { what: 'the watch to tell' });
    await watch.end('SIGTERM');
  });

  it('events show to users only of what they may read', async () => {
    const ops = await addUser(node0, 'ops');
    const asOps = await kubectlOf(node0, { token: ops.token });
    const objects = async () => [
      ...new Set((await asOps.out('get', 'events', '-o', 'jsonpath={.items[*].involvedObject.kind}')).split(' ').filter(Boolean)),
    ];
    expect(await objects(), 'Nodes are public').toEqual(['Node']);
    await grant(node0, ops, ['READ'], { kind: 'dtapps.sid.sightlineinnovation.com', name: 'wiki' });
    expect((await objects()).sort()).toEqual(['Node', 'dtApp']);
    await grant(node0, ops, ['READ'], { kind: '*' });
    expect(await objects(), 'domains are not part of everything').not.toContain('dtDomain');
  });
});
