/** kubectl auth, api-resources and api-versions against real daemons, as the operator and as users, also about the objects of another node. */
import { beforeAll, describe, expect, it } from 'vitest';
import { formDomain } from '../../harness/domain.ts';
import { type Kubectl, kubectlOf, NO_KUBECTL } from '../../harness/kubectl.ts';
import type { Site } from '../../harness/site.ts';
import { useStage } from '../../harness/use-stage.ts';
import { addUser, grant, type SiteUser } from '../../harness/user.ts';
import { waitFor } from '../../wait.ts';

const stage = useStage();

describe.skipIf(NO_KUBECTL)(`kubectl auth${NO_KUBECTL === undefined ? '' : ` (SKIPPED: ${NO_KUBECTL})`}`, () => {
  let node0: Site;
  let node1: Site;
  let ops: SiteUser;
  let asOperator: Kubectl;
  let asOps: Kubectl;

  beforeAll(async () => {
    [node0, node1] = await Promise.all([stage.current.start({ name: 'node0' }), stage.current.start({ name: 'node1' })]);
    await formDomain('mydomain', [node0, node1]);
    ops = await addUser(node0, 'ops');
    await grant(node0, ops, ['READ', 'UPDATE'], { kind: 'services' });
    await grant(node0, ops, ['DELETE'], { kind: 'services', name: 'web' });
    await grant(node1, ops, ['READ'], { kind: 'resources.dtkd.dev' });
    [asOperator, asOps] = await Promise.all([kubectlOf(node0), kubectlOf(node0, { token: ops.token })]);
  });

  const can = async (kubectl: Kubectl, ...args: string[]) => {
    const { code, stdout } = await kubectl.run('auth', 'can-i', ...args);
    return `${code} ${stdout.trim()}`;
  };

  it('whoami tells who a token is of', async () => {
    expect(await asOperator.out('auth', 'whoami')).toMatch(/Username +operator/);
    const mine = JSON.parse(await asOps.out('auth', 'whoami', '-o', 'json'));
    expect(mine.status.userInfo).toMatchObject({ username: 'ops@node0', groups: ['dtkd.dev:users'] });
  });

  it('can-i answers about this node', async () => {
    expect(await can(asOperator, '*', '*')).toBe('0 yes');
    expect(await can(asOperator, 'create', 'dtdomains')).toBe('0 yes');
    expect(await can(asOps, 'update', 'services')).toBe('0 yes');
    expect(await can(asOps, 'delete', 'svc/web')).toBe('0 yes');
    expect(await can(asOps, 'delete', 'services')).toMatch(/^1 no - ops@node0 may not DELETE services: it has READ and UPDATE only$/);
    expect(await can(asOps, 'create', 'dtdomains', '--subresource=invites')).toMatch(/^1 no - /);
    expect(await can(asOps, 'get', '/version')).toBe('0 yes');
    expect(await can(asOps, 'get', '/metrics')).toMatch(/^1 no - ops@node0 may not READ metrics/);
    expect(await can(asOps, 'get', '/apis/dtkd.dev/v1/daemon/status')).toMatch(/^1 no - .*operator/);
  });

  it('can-i answers about another node what that one says', async () => {
    expect(await can(asOps, 'list', 'resources', '-n', 'node1')).toBe('0 yes');
    expect(await can(asOps, 'update', 'resources', '-n', 'node1')).toMatch(/^1 no - node1 says: ops@node0 may not UPDATE resources/);
    expect(await can(asOps, 'get', 'services', '-n', 'nowhere')).toMatch(/^1 no - no node "nowhere" is known here$/);
    expect(await can(asOperator, 'get', 'services', '-n', 'node1')).toMatch(/^1 no - .*operator's token is valid only on node0$/);
  });

  it('can-i --list lists the rules of a node', async () => {
    expect(await asOperator.out('auth', 'can-i', '--list')).toMatch(/\*\.\* +\[\] +\[\] +\[\*\]/);
    const mine = await asOps.out('auth', 'can-i', '--list');
    expect(mine).toMatch(/^services +\[\] +\[\] +\[get list watch update patch\]$/m);
    expect(mine).toMatch(/^services +\[\] +\[web\] +\[.*delete.*\]$/m);
    expect(await asOps.out('auth', 'can-i', '--list', '-n', 'node1')).toMatch(/^resources\.dtkd\.dev +\[\] +\[\] +\[get list watch\]$/m);
  });

  it('what another node lets somebody read, kubectl describes: a Service there, with its Endpoints', async () => {
    const web = { apiVersion: 'v1', metadata: { name: 'there' } };
    await node1.create({ ...web, kind: 'Service', spec: { ports: [{ port: 80, targetPort: 9 }] } });
    await node1.create({ ...web, kind: 'Endpoints', subsets: [{ addresses: [{ ip: '10.9.9.9' }], ports: [{ port: 9 }] }] });
    await grant(node1, ops, ['READ'], { kind: 'services' });
    expect(await asOps.out('describe', 'service', 'there', '-n', 'node1')).toMatch(/^Endpoints: +<none>$/m);
    await grant(node1, ops, ['READ'], { kind: 'endpoints' });
    // a node that is busy may not answer in the time that kubectl gives it
    const shows = (pattern: RegExp, ...args: string[]) =>
      waitFor(async () => pattern.test(await asOps.out(...args)), { what: `kubectl ${args.join(' ')} to show ${pattern}` });
    await shows(/^Endpoints: +10\.9\.9\.9:9$/m, 'describe', 'service', 'there', '-n', 'node1');
    await shows(/^node1 +there-ipv4 +IPv4 +9 +10\.9\.9\.9 /m, 'get', 'endpointslices', '-A');
    expect(await asOps.out('get', 'endpointslice', 'there-ipv4', '-n', 'node1', '-o', 'name')).toBe(
      'endpointslice.discovery.k8s.io/there-ipv4\n',
    );
  });

  it('nobody acts as somebody else', async () => {
    const { code, stderr } = await asOperator.run('get', 'services', '--as=ops');
    expect([code, stderr]).toEqual([1, expect.stringContaining('impersonation is not supported')]);
  });

  it('api-resources and api-versions tell all that is served', async () => {
    const wide = await asOperator.out('api-resources', '-o', 'wide');
    expect(wide).toMatch(/^dtdomains +dtd,domain,domains +sid\.sightlineinnovation\.com\/v1 +true +dtDomain +\S+ +all,dtkd$/m);
    expect(wide).toMatch(/^endpointslices +discovery\.k8s\.io\/v1 +true +EndpointSlice +get,list,watch/m);
    expect(wide).toMatch(/^selfsubjectaccessreviews +authorization\.k8s\.io\/v1 +false +SelfSubjectAccessReview +create/m);
    expect((await asOperator.out('api-versions')).trim().split('\n')).toEqual([
      'authentication.k8s.io/v1',
      'authorization.k8s.io/v1',
      'discovery.k8s.io/v1',
      'dtkd.dev/v1',
      'sid.sightlineinnovation.com/v1',
      'v1',
    ]);
    const named = (await asOperator.out('api-resources', '--categories=all', '-o', 'name')).trim().split('\n').sort();
    expect(named).toContain('dtapps.sid.sightlineinnovation.com');
    expect(await asOperator.out('get', 'all', '-o', 'name')).toContain('dtdomain.sid.sightlineinnovation.com/mydomain');
    expect(await asOperator.out('get', 'dtkd', '-o', 'name')).toContain('node.dtkd.dev/node0');
  });
});
