import { afterEach, describe, expect, it } from 'vitest';
import { createBundles } from '../../../daemon/src/catalog/bundles/bundles.ts';
import { createModels } from '../../../daemon/src/catalog/bundles/models.ts';
import type { ResourceToWrite } from '../../../daemon/src/catalog/instances/apply/apply.types.ts';
import { createInstanceObjects } from '../../../daemon/src/catalog/instances/apply/instance-objects.ts';
import { Rights } from '../../../daemon/src/catalog/model/rights.ts';
import type { NodeView } from '../../../daemon/src/dispatch/dispatch.types.ts';
import type { PlannedPart } from '../../../daemon/src/dispatch/plan/plan.types.ts';
import { createPlanner } from '../../../daemon/src/dispatch/plan/planner.ts';
import type { ModuleType } from '../../../protocol/definitions/module.ts';
import { isLeftCode } from '../../../protocol/definitions/scoped-names.ts';
import { POLICY_NAME } from '../../../protocol/kinds/policy.ts';
import { packArchive } from '../../../protocol/modules/archive.ts';
import { model, NODE, OPERATOR, object, refusal, resource, type, write } from '../../catalog/model/fixtures.ts';
import { type Bench, bench, files, script } from '../../catalog/modules/fixtures.ts';
import { silentLogger } from '../../silent-logger.ts';
import { from, noContent, orderOf, outputOf, TARGET, targetKey, type World, world } from './world.ts';

const close: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const one of close.splice(0)) await one();
});

const allow = () => ({ allowed: true as const });

const TYPES: Record<string, ModuleType> = {
  Base: { commands: { which: { script: { file: 'which.sh', args: [`\${resource.type}`] } } } },
  WebServer: {
    extends: 'Base',
    templates: [{ from: 'site.conf', to: 'site.conf' }],
    commands: {
      create: { workflow: { steps: [{ command: 'which' }, { script: { file: 'which.sh', args: ['step'] } }] } },
      delete: { script: { inline: 'true' } },
    },
  },
  Cluster: { commands: { all: { dispatch: { over: 'children', type: 'WebServer', command: 'which' } } } },
};
const archiveOf = (word: string) =>
  files(TYPES, {
    more: [
      script('which.sh', `#!/bin/sh\necho "${word} $1 $DTKD_RESOURCE_TYPE $DTKD_RESOURCE_MODEL"\n`),
      { path: 'site.conf', executable: false, data: Buffer.from(`\${resource.type}`) },
    ],
  });

/** A node with two instances of one module, whose resources are on the target. */
async function owner() {
  const own = await bench();
  close.push(() => own.close());
  const { store, modules, key } = own;
  await write(store, { ...object('Node', TARGET, {}), status: { signingKey: targetKey.publicKey } });
  const rights = new Rights({ decide: allow, decideMove: allow, node: NODE });
  const objects = createInstanceObjects({ node: NODE, rights });
  const bundles = createBundles({ store, node: { name: NODE }, signingKey: key, decide: allow, decideMove: allow });
  close.push(async () => bundles.stop());
  const others = {
    list: async () => ({ rows: [], answered: [], unanswered: [] }),
    get: () => Promise.reject(new Error('nobody is asked')),
  };
  const models = createModels({ store, node: { name: NODE }, decide: allow, bundles, others, signingKeyOf: async () => key.publicKey });
  const views: NodeView[] = [
    { node: NODE, self: true, object: object('Node', NODE, {}), signingKey: key.publicKey, member: undefined },
    {
      node: TARGET,
      self: false,
      object: object('Node', TARGET, {}),
      signingKey: targetKey.publicKey,
      member: { node: TARGET, domain: 'site', key: 'a'.repeat(64), selfKey: 'b'.repeat(64), reach: 'connected' },
    },
  ];
  const planner = createPlanner({
    node: { name: NODE, signingKey: key.publicKey },
    models,
    nodes: { list: async () => views },
    modules,
    content: { fetch: () => Promise.reject(new Error('nothing is fetched')) },
    logger: silentLogger,
  });
  let revision = 0;
  const stage = async (instance: string, word: string, resources: ResourceToWrite[], leaving: string[] = []) => {
    revision += 1;
    const code = await modules.publishCopy({ instance, revision, archive: packArchive(archiveOf(word)), module: 'acme/web' });
    // where something is only to be taken down, its type is gone
    const own = Object.entries(TYPES).filter(([name]) => leaving.length === 0 || name !== 'WebServer');
    const types = own.map(([name, one]) => ({ name, type: one, code }));
    const { types: written } = await store.transact(async (tx) => {
      await tx.put(object('ServiceInstance', instance, { revision }));
      return objects.apply({ tx, principal: OPERATOR, instance }, { types, resources, deleted: [], leaving });
    });
    for (const left of written.code.filter(({ name }) => isLeftCode(name))) await modules.publishLeft({ ...left, version: '0.0.1' });
    return code;
  };
  const plan = async (request: object): Promise<PlannedPart[]> =>
    (await planner.plan(OPERATOR, { filter: { include: ['name=.*'] }, ...request })).parts;
  return { ...own, stage, plan };
}

const web = (name: string, more: Partial<ResourceToWrite> = {}): ResourceToWrite => ({
  name,
  component: 'web',
  type: 'WebServer',
  node: TARGET,
  properties: {},
  parents: [],
  ...more,
});

async function targetOf(of: Bench, { follow = false } = {}): Promise<World & { run(part: PlannedPart | undefined): Promise<string> }> {
  const own = await bench();
  const site = await world({
    modules: own.modules,
    content: { ...noContent, fetch: async (digest) => of.content.pathOf(digest) },
    policy: { trust: [{ node: 'builder', key: of.key.publicKey, follow }] },
  });
  close.push(
    () => site.close(),
    () => own.close(),
  );
  const run = async (part: PlannedPart | undefined) => {
    if (part?.bundle === undefined) throw new Error('it was not planned');
    const handle = await site.target.accept(from(site), { order: orderOf({ work: part.work }).bytes, bundle: part.bundle });
    const { out } = await outputOf(handle);
    const { outcome, reason } = handle.part();
    return outcome === 'succeeded' ? out : `${outcome}: ${reason}`;
  };
  return Object.assign(site, { run });
}

const POLICY = { group: 'dtkd.dev', plural: 'policies', namespace: TARGET, name: POLICY_NAME };

async function pinsOf({ store }: Pick<World, 'store'>): Promise<string[]> {
  const policy = await store.get(POLICY);
  return Object.keys(Object(Object(policy?.['spec']).pins)).sort();
}

describe('commands of service instances', () => {
  it('are those of their own copies, each pinned for itself, and scripts see bare names', async () => {
    const all = await owner();
    await all.install(archiveOf('base'));
    const shop = await all.stage('shop', 'base', [web('web-1')]);
    await all.stage('other', 'changed', [web('web-1')]);
    const site = await targetOf(all);
    const [part] = await all.plan({ model: 'shop', type: 'webserver', resource: 'web-1', command: 'create' });
    expect(part?.work).toMatchObject({ code: { 'acme/web@shop': shop.digest }, resource: { type: 'WebServer@shop' } });
    expect(await site.run(part)).toBe('base WebServer WebServer shop\nbase step WebServer shop\n');
    const [other] = await all.plan({ model: 'other', resource: 'web-1', command: 'which' });
    expect(await site.run(other)).toBe('changed WebServer WebServer other\n');
    expect(await pinsOf(site)).toEqual(['acme/web@other@builder', 'acme/web@shop@builder']);
    const listed = await site.store.list({ group: 'dtkd.dev', plural: 'deployments', namespace: TARGET });
    const directories = listed.items.map((one) => String(Object(one['status']).directory));
    expect(directories.map((one) => one.split('/').slice(-3).join('/')).sort()).toEqual([
      'other/WebServer@other/web-1',
      'shop/WebServer@shop/web-1',
    ]);
  });

  it('show it as deployed as long as it is not taken down, and are found as long', async () => {
    const all = await owner();
    await all.stage('shop', 'base', [web('web-1'), web('web-2')]);
    const site = await targetOf(all);
    const run = async (resource: string, command: string) => site.run((await all.plan({ model: 'shop', resource, command }))[0]);
    const deployed = async () => {
      const { items } = await site.store.list({ group: 'dtkd.dev', plural: 'deployments', namespace: TARGET });
      return items.map((one) => `${Object(one['spec']).name} ${Object(one['status']).phase}`).sort();
    };
    const { installed } = site.target;
    const found = async () => (await installed.find(OPERATOR, { model: 'shop' }, 9)).map(({ name }) => name);
    for (const resource of ['web-1', 'web-2']) await run(resource, 'create');
    expect(await deployed()).toEqual(['web-1 Installed', 'web-2 Installed']);
    const [part] = await all.plan({ model: 'shop', resource: 'web-1', command: 'which' });
    const of = { node: 'builder', object: part?.work.type === 'command' ? part.work.resource.object : '' };
    expect(await found()).toEqual(['web-1', 'web-2']);
    expect(await installed.bundle(OPERATOR, of)).toBeDefined();
    expect(await run('web-1', 'delete')).toBe('');
    expect(await deployed()).toEqual(['web-2 Installed']);
    expect(await found()).toEqual(['web-2']);
    expect(await installed.bundle(OPERATOR, of)).toBeUndefined();
    await run('web-1', 'create');
    expect(await deployed()).toEqual(['web-1 Installed', 'web-2 Installed']);
    expect(await found()).toEqual(['web-1', 'web-2']);
  });

  it('leave no pin of code that was there only to take down what was left', async () => {
    const all = await owner();
    await all.stage('shop', 'base', [web('web-1')]);
    const site = await targetOf(all, { follow: true });
    const request = { model: 'shop', resource: 'web-1' };
    await site.run((await all.plan({ ...request, command: 'create' }))[0]);
    await all.stage('shop', 'newer', [], ['web-1']);
    await site.run((await all.plan({ ...request, command: 'create' }))[0]);
    expect(await pinsOf(site)).toEqual(['acme/web@shop.1@builder', 'acme/web@shop@builder']);
    await site.store.transact(async (tx) => {
      const policy = await tx.get(POLICY);
      if (policy !== undefined)
        await tx.put({ ...policy, spec: { ...Object(policy['spec']), trust: [{ node: 'builder', key: all.key.publicKey }] } });
    });
    expect(await site.run((await all.plan({ ...request, command: 'delete' }))[0])).toBe('');
    expect(await pinsOf(site)).toEqual(['acme/web@shop@builder']);
  });

  it('leave no pin where nothing of their service is left, if their node is followed', async () => {
    const all = await owner();
    await all.stage('shop', 'base', [web('web-1'), web('web-2')]);
    await all.stage('other', 'base', [web('web-1')]);
    const [follower, pinner] = [await targetOf(all, { follow: true }), await targetOf(all)];
    const run = async (site: typeof follower, model: string, resource: string, command: string) =>
      site.run((await all.plan({ model, resource, command }))[0]);
    for (const site of [follower, pinner]) {
      for (const [model, resource] of [
        ['shop', 'web-1'],
        ['shop', 'web-2'],
        ['other', 'web-1'],
      ] as const)
        await run(site, model, resource, 'create');
      await run(site, 'shop', 'web-1', 'delete');
      expect(await pinsOf(site)).toEqual(['acme/web@other@builder', 'acme/web@shop@builder']);
      await run(site, 'shop', 'web-2', 'delete');
    }
    expect(await pinsOf(follower)).toEqual(['acme/web@other@builder']);
    // what it has pinned is what may run there, also under that name again
    expect(await pinsOf(pinner)).toEqual(['acme/web@other@builder', 'acme/web@shop@builder']);
  });

  it('do not run as changed until they are pinned, or followed', async () => {
    const all = await owner();
    await all.stage('shop', 'first', [web('web-1')]);
    const site = await targetOf(all);
    const request = { type: 'WebServer@shop', resource: 'web-1', command: 'which' };
    await site.run((await all.plan(request))[0]);
    await all.stage('shop', 'second', [web('web-1')]);
    expect(await site.run((await all.plan(request))[0])).toContain('dtkd policy pin acme/web@shop');
  });

  it('go over related resources by bare types', async () => {
    const all = await owner();
    await all.stage('shop', 'x', [
      web('group', { type: 'Cluster' }),
      web('web-1', { parents: ['group'] }),
      web('web-2', { parents: ['group'] }),
    ]);
    const parts = await all.plan({ model: 'shop', resource: 'group', command: 'all' });
    expect(parts.map(({ work }) => work.type === 'command' && work.resource.name)).toEqual(['web-1', 'web-2']);
  });

  it('are found by bare types, unless these mean several', async () => {
    const all = await owner();
    await all.stage('shop', 'x', [web('front1')]);
    const request = { type: 'WebServer', resource: 'front1', command: 'which' };
    expect(await all.plan(request)).toHaveLength(1);
    await write(
      all.store,
      model('web'),
      type('WebServer', { commands: { which: { script: { inline: 'true' } } } }),
      resource('front1', { type: 'WebServer', parents: [`node/${TARGET}`] }),
    );
    const error = await refusal(all.plan(request));
    expect(error.code).toBe('AMBIGUOUS');
    expect(error.message).toContain('shop WebServer@shop front1');
    expect(error.message).toContain('web WebServer front1');
    expect(await all.plan({ ...request, type: 'WebServer@shop' })).toHaveLength(1);
  });
});
