import { beforeAll, describe, expect, it } from 'vitest';
import { APP_LABEL, OWNER_LABEL } from '../../../protocol/kinds/dtapp.ts';
import { type Kubectl, kubectlOf, NO_KUBECTL } from '../../harness/kubectl.ts';
import { networkMissing } from '../../harness/network.ts';
import type { Site } from '../../harness/site.ts';
import { useStage } from '../../harness/use-stage.ts';
import { waitFor } from '../../wait.ts';
import { fieldsOf, missingFrom } from './described.ts';
import { APP, COPY_SHOWN, DOMAIN_SHOWN, FOUND, joinThrough, PEER_SHOWN, SERVICE } from './seed-page.ts';

const stage = useStage({ story: true });
const why = NO_KUBECTL ?? networkMissing();

/** Kubernetes gave these up in 1.20; the rest of the page holds. */
const GONE = new Set(['Metadata.Self Link']);

/** The page was written long after what it shows had happened: Events are kept for an hour. */
const RECENT = 'Events';

const page = (text: string, without: readonly string[] = []) =>
  fieldsOf(text).filter(({ path }) => !GONE.has(path) && !without.includes(path));

const valuesOf = (text: string, path: string): string[] => fieldsOf(text).flatMap((field) => (field.path === path ? [field.value] : []));

/** The page from top to bottom, with nothing but kubectl, on three hosts that have their default ports and addresses of their own. */
describe.skipIf(why !== undefined)(`the page "dtDomains" with kubectl${why === undefined ? '' : ` (SKIPPED: ${why})`}`, () => {
  let node0: Site;
  let on0: Kubectl;
  let on1: Kubectl;
  let on2: Kubectl;
  let node1: Site;
  let address0 = '';
  let uri = '';

  beforeAll(async () => {
    const network = await stage.current.network({ segments: { wan: ['node0', 'node1', 'node2'] } });
    await network.alias('node0', '10.1.2.3');
    const start = (name: string) =>
      stage.current.start({ name, inside: network.inside(name), ingress: '127.0.0.1:80', args: ['--suffix', 'example.org'] });
    const [site0, site1, site2] = await Promise.all([start('node0'), start('node1'), start('node2')]);
    [node0, node1] = [site0, site1];
    await stage.current.origin({ name: 'example-service', host: '10.1.2.3', port: 12_345, netns: network.inside('node0').netns });
    [on0, on1, on2] = await Promise.all([kubectlOf(site0), kubectlOf(site1), kubectlOf(site2)]);
    address0 = network.address('node0');
  });

  it('a dtDomain is created on node0', async () => {
    expect(await on0.send(FOUND, 'apply', '-f', '-')).toBe('dtdomain.sid.sightlineinnovation.com/mydomain created\n');
  });

  it('it is described as on the page, with an invite token', async () => {
    const shown = await on0.out('describe', 'dtdomains');
    expect(missingFrom(fieldsOf(shown), page(DOMAIN_SHOWN, [RECENT]))).toEqual([]);
    expect(fieldsOf(shown).at(-1)?.path).toMatch(/^Events/);
  });

  it('each of its peers is a dtPeer that looks as on the page', async () => {
    const [id = ''] = valuesOf(await on0.out('describe', 'dtdomains'), 'Peers[]');
    const shown = await on0.out('describe', 'dtpeer', id);
    expect(missingFrom(fieldsOf(shown), page(PEER_SHOWN, [RECENT]))).toEqual([]);
    expect(valuesOf(shown, 'Name')).toEqual([id, 'node0.example.org']);
    expect(valuesOf(shown, 'Address')).toEqual([address0]);
  });

  it('node1 joins with the token that is shown, and an address', async () => {
    const [token = ''] = valuesOf(await on0.out('describe', 'dtdomains'), 'Invite Token');
    expect(await on1.send(joinThrough(address0, token), 'apply', '-f', '-')).toBe(
      'dtdomain.sid.sightlineinnovation.com/mydomain created\n',
    );
    await on1.out('wait', 'dtdomain/mydomain', '--for=jsonpath={.status}=Ready', '--timeout=300s');
    expect(valuesOf(await on0.out('describe', 'dtdomains'), 'Peers[]')).toHaveLength(2);
  });

  it('a third node joins, with an invite of its own', async () => {
    const invite = await on0.send({ uses: 1 }, 'create', '--raw', node0.path('dtdomain', 'mydomain', { sub: 'invites' }), '-f', '-');
    const { token } = JSON.parse(invite) as { token: string };
    expect(valuesOf(await on0.out('describe', 'dtdomains'), 'Invite Token')).toEqual([token]);
    await on2.send(joinThrough(address0, token), 'apply', '-f', '-');
    await on2.out('wait', 'dtdomain/mydomain', '--for=jsonpath={.status}=Ready', '--timeout=300s');
    for (const kubectl of [on0, on1, on2]) {
      await kubectl.out('wait', 'dtdomain/mydomain', '--for=jsonpath={.peers[2]}', '--timeout=300s');
      await kubectl.out('wait', 'dtpeers', '--all', '--for=jsonpath={.connected}=true', '--timeout=300s');
    }
  });

  it('a service on node0 is exposed by a dtApp', async () => {
    expect(await on0.send(SERVICE, 'apply', '-f', '-')).toBe('service/example-service created\nendpoints/example-service created\n');
    expect(await on0.send(APP, 'apply', '-f', '-')).toBe('dtapp.sid.sightlineinnovation.com/mydtapp created\n');
  });

  it('the dtApp exists on node1 as well, as on the page', async () => {
    const copies = ['-l', `${APP_LABEL}=mydtapp,${OWNER_LABEL}=node0`];
    const name = await waitFor(
      async () => (await on1.out('get', 'dtapps', ...copies, '-o', 'jsonpath={.items[*].metadata.name}')) || undefined,
      {
        what: 'node1 to have a copy',
      },
    );
    const shown = await on1.out('describe', 'dtapp', name);
    // labels say which app of which node it is
    expect(missingFrom(fieldsOf(shown), page(COPY_SHOWN, ['Labels', RECENT]))).toEqual([]);
    expect(valuesOf(shown, 'Name')).toEqual([name]);
    uri = valuesOf(shown, 'URI')[0] ?? '';
    expect(uri).toBe(`http://${name}.node1.example.org`);
  });

  it('connecting to its URI connects to the service in node0', async () => {
    expect(await node1.fetchUri(uri)).toMatchObject({ status: 200, body: 'hello from example-service\n' });
  });

  it('a peer is not deleted by another node than the founder', async () => {
    const third = await peerOf(on1, 'node2');
    const refused = await on1.run('delete', 'dtpeer', third);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('only the node that holds the root key of mydomain can remove a member');
    expect(refused.stderr).toContain('node0');
    expect(await on1.out('get', 'dtpeer', third, '-o', 'name')).toContain(third);
  });

  it('deleting its dtPeer on the founder removes a node', async () => {
    const third = await peerOf(on0, 'node2');
    expect(await on0.out('delete', 'dtpeer', third)).toContain('deleted');
    expect(valuesOf(await on0.out('describe', 'dtdomains'), 'Peers[]')).not.toContain(third);
    await on1.out('wait', 'dtpeer', third, '--for=delete', '--timeout=300s');
    await on2.out('wait', 'dtdomain/mydomain', '--for=jsonpath={.status}=Removed', '--timeout=300s');
  });
});

async function peerOf(kubectl: Kubectl, node: string): Promise<string> {
  const id = await kubectl.out(
    'get',
    'dtpeers',
    '--field-selector',
    `name=${node}.example.org`,
    '-o',
    'jsonpath={.items[*].metadata.name}',
  );
  expect(id).toMatch(/^[0-9a-f]{32}$/);
  return id;
}
