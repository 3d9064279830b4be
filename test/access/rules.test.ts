import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KEY1, OPERATOR, remote, type Site, startSite } from './site.ts';

let site: Site;
beforeEach(async () => {
  site = await startSite();
});
afterEach(() => site.close());

describe('rules', () => {
  it('of the operator are everything, of nobody nothing', async () => {
    expect(site.access.rules(OPERATOR)).toEqual({ resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }] });
    expect(site.access.rules(remote(site, 'ops', KEY1))).toEqual({ resourceRules: [] });
  });

  it('of a user say what each grant gives, and what they cannot say', async () => {
    const ops = await site.user('ops');
    const rules = (resource: string) => site.access.rules(ops).resourceRules.filter(({ resources }) => resources.includes(resource));
    expect(rules('resources')).toEqual([]);
    expect(rules('users'), 'public among nodes').toEqual([
      { verbs: ['get', 'list', 'watch'], apiGroups: ['dtkd.dev'], resources: ['users'] },
    ]);
    await site.grant('ops@node0', 'READ,CREATE', { kind: 'resources.dtkd.dev' });
    await site.grant('ops@node0', 'DELETE', { kind: 'resources.dtkd.dev', name: 'front1' });
    expect(rules('resources')).toEqual([
      { verbs: ['get', 'list', 'watch', 'create'], apiGroups: ['dtkd.dev'], resources: ['resources'] },
      {
        verbs: ['get', 'list', 'watch', 'create', 'delete', 'deletecollection'],
        apiGroups: ['dtkd.dev'],
        resources: ['resources'],
        resourceNames: ['front1'],
      },
    ]);
    expect(site.access.rules(ops).incomplete).toBeUndefined();
    await site.grant('ops@node0', 'READ', { kind: 'services', labelSelector: 'tier=front' });
    expect(rules('services')).toEqual([]);
    expect(site.access.rules(ops).incomplete).toBe('not listed: what it has by label, model or type');
    await site.create(ops, 'resources', 'mine', { spec: { model: 'web', type: 'Service' } });
    expect(site.access.rules(ops).incomplete).toContain('what it made');
    await site.grant('ops@node0', 'READ', { kind: 'endpoints' });
    expect(rules('endpointslices'), 'as the Endpoints').toEqual([
      { verbs: ['get', 'list', 'watch'], apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'] },
    ]);
  });
});
