// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are references of services, which the tested code fills in.
import { describe, expect, it } from 'vitest';
import { expand } from '../../../../daemon/src/catalog/instances/desired/expand.ts';
import { appliedOf, copy, desiredOf, filesOf, RUN, rowOf, WEB, world, wrong } from './fixtures.ts';

const shop = (body: object) => filesOf(body, WEB);

describe('the resources of a component', () => {
  it('are one without a count, numbered with one, and named after nodes if it is all', async () => {
    const components = {
      a: { type: 'Server' },
      b: { type: 'Server', on: { nodes: 'tags=web', count: 2 } },
      c: { type: 'Server', on: { nodes: 'name=.*', count: 'all' } },
      d: { type: 'Server', on: { count: 0 } },
      e: { type: 'Server', on: { nodes: 'tags=web', count: 3, together: true } },
    };
    const { resources } = await desiredOf(shop({ components }));
    expect([...resources.values()].map(({ name, node }) => `${name}@${node}`)).toEqual([
      'a@node1',
      'b-1@node2',
      'b-2@node3',
      'c-node1@node1',
      'c-node2@node2',
      'c-node3@node3',
      'e-1@node2',
      'e-2@node3',
      'e-3@node2',
    ]);
    expect(resources.get('a')).toMatchObject({
      type: 'Server',
      port: 8080,
      properties: {},
      commands: ['check', 'converge', 'create', 'delete', 'restart'],
    });
  });

  it('stay where they were applied as long as the node matches', async () => {
    const files = shop({ components: { web: { type: 'Server', on: { nodes: 'tags=web', count: 2 } } } });
    const [first, second] = [...(await desiredOf(files)).resources.values()];
    if (first === undefined || second === undefined) throw new Error('two are expected');
    const moved = world({ applied: [rowOf({ ...first, node: 'node3' })] });
    expect([...(await desiredOf(files, moved)).resources.values()].map(({ node }) => node)).toEqual(['node3', 'node2']);
    const left = world({ nodes: ['node1', 'node2 web', 'node4 web'], applied: [rowOf(first), rowOf({ ...second, node: 'node3' })] });
    expect([...(await desiredOf(files, left)).resources.values()].map(({ node }) => node)).toEqual(['node2', 'node4']);
  });

  it('go where the target says, unless the component does', async () => {
    const files = shop({
      target: 'prod',
      'target-kind': 'hosts',
      components: { web: { type: 'Server' }, db: { type: 'Database', on: 'self' } },
    });
    const targets = [{ name: 'prod', kind: 'hosts', offers: { nodes: 'tags=web' } }];
    expect([...(await desiredOf(files, world({ targets }))).resources.values()].map(({ node }) => node)).toEqual(['node2', 'node1']);
  });

  it('are refused where there are not as many nodes, or none of that name', async () => {
    const on = (placement: unknown) => shop({ components: { web: { type: 'Server', on: placement } } });
    expect(await wrong(on({ nodes: 'tags=web', count: 3 }))).toEqual(['NODE_LIMIT web.on']);
    expect(await wrong(on({ nodes: 'tags=none', count: 'all' }))).toEqual(['NODE_LIMIT web.on']);
    expect(await wrong(on('name=node9'))).toEqual(['UNKNOWN_NODE web.on']);
    expect(await wrong(on('a!b'))).toEqual(['ILLEGAL_VALUE web.on']);
    expect(await wrong(on({ count: 'many' }))).toEqual(['ILLEGAL_VALUE web.on.count']);
    expect(await wrong(on({ count: 1_000, nodes: 'self', together: true }))).toEqual([]);
    expect(
      await wrong(
        shop({
          components: {
            a: { type: 'Server', on: { count: 600, together: true } },
            b: { type: 'Server', on: { count: 600, together: true } },
          },
        }),
      ),
    ).toEqual(['TOO_MANY b.on']);
    expect(await wrong(shop({ components: { 'web-1': { type: 'Server' }, web: { type: 'Server', on: { count: 1 } } } }))).toEqual([
      'ILLEGAL_VALUE web',
    ]);
  });
});

describe('values', () => {
  it('are filled in with parameters and what the target offers, which keep their types', async () => {
    const files = shop({
      target: 'prod',
      'parameter-rules': { port: { type: 'port', default: 81 }, tier: { required: true }, hosts: { type: 'array' }, nothing: {} },
      parameters: { tier: 'gold', hosts: ['a', 'b'] },
      components: {
        web: {
          type: 'Server',
          properties: {
            port: '${parameters.port}',
            tier: '${parameters.tier}',
            upstream: 'x:${parameters.port}/${parameters.hosts}$${y}',
            peers: ['${target.image}', '${parameters.nothing}'],
          },
        },
      },
    });
    const { resources } = await desiredOf(files, world({ targets: [{ name: 'prod', offers: { image: { id: 1 } } }] }));
    expect(resources.get('web')?.properties).toEqual({ port: 81, tier: 'gold', upstream: 'x:81/a,b${y}', peers: [{ id: 1 }] });
  });

  it('are refused where a reference leads nowhere, and nothing that follows from it is told', async () => {
    const properties = { port: '${parameters.prot}', tier: '${target.tier}', upstream: '${x}', named: '${components.a.b}', peers: ['${'] };
    const files = shop({
      'parameter-rules': { port: { type: 'port', required: true } },
      parameters: { other: 1 },
      components: { web: { type: 'Server', properties } },
    });
    expect((await wrong(files)).sort()).toEqual([
      'ILLEGAL_VALUE parameters.other',
      'ILLEGAL_VALUE web.named',
      'ILLEGAL_VALUE web.peers',
      'ILLEGAL_VALUE web.port',
      'ILLEGAL_VALUE web.upstream',
      'REQUIRED_UNSET parameters.port',
      'TARGET_MISSING web.tier',
    ]);
  });

  it('are judged by the rules of their types', async () => {
    const types = copy('acme/web', {
      Job: {
        properties: {
          must: { required: true },
          made: { dynamic: true, required: true },
          pick: { allowed: ['a'] },
          code: { pattern: '[a-z]+' },
        },
      },
    });
    const files = filesOf(
      {
        components: {
          job: { type: 'Job', properties: { made: 'x', pick: 'b', code: 'A1', other: 1 } },
          open: { type: 'Service', properties: { any: [1] } },
        },
      },
      types,
    );
    expect((await wrong(files)).sort()).toEqual([
      'ILLEGAL_VALUE job.code',
      'ILLEGAL_VALUE job.made',
      'ILLEGAL_VALUE job.other',
      'ILLEGAL_VALUE job.pick',
      'REQUIRED_UNSET job.must',
    ]);
  });

  it('have an end, however they are put together', async () => {
    const rules = { big: { type: 'array', default: Array.from({ length: 5_000 }, () => 'x') } };
    const many = Array.from({ length: 200 }, () => '${parameters.big}');
    const files = shop({
      'parameter-rules': rules,
      components: { web: { type: 'Server', properties: { peers: many, upstream: many.join('') } } },
    });
    expect((await wrong(files)).sort()).toEqual(['ILLEGAL_VALUE web.peers', 'ILLEGAL_VALUE web.upstream']);
    const texts = Object.fromEntries(Array.from({ length: 6 }, (_, index) => [`p${index}`, 'x'.repeat(60_000)]));
    expect(await wrong(shop({ components: { web: { type: 'Service', properties: texts } } }))).toEqual(['TOO_MANY web']);
  });
});

describe('links', () => {
  const web = (more: object = {}) => ({ type: 'Server', on: { nodes: 'tags=web', count: 2 }, links: { db: 'db' }, ...more });

  it('carry values in both directions and make the one that takes wait', async () => {
    const components = { web: web(), db: { type: 'Database', properties: { port: 7000, password: 'db-password' } } };
    const { resources } = await desiredOf(shop({ components }), world({ secrets: ['db-password'] }));
    expect(resources.get('web-1')).toMatchObject({
      properties: { upstream: '10.0.0.1', 'db-port': 7000, password: 'db-password' },
      needs: ['db'],
      secrets: ['password'],
    });
    expect(resources.get('db')).toMatchObject({ properties: { clients: ['web-1', 'web-2'] }, needs: [] });
  });

  it('give a list or an object of several, and are refused where one value is taken', async () => {
    const several = { type: 'Database', on: { nodes: 'tags=web', count: 2 } };
    const taking = (take: object) =>
      shop({ components: { web: { type: 'Server', links: { db: { to: 'db', take, give: {} } } }, db: several } });
    const { resources } = await desiredOf(taking({ peers: 'node.name', named: 'port' }));
    expect(resources.get('web')?.properties).toEqual({ peers: ['node2', 'node3'], named: { 'db-1': 5432, 'db-2': 5432 } });
    expect(await wrong(taking({ upstream: 'node.name' }))).toEqual(['ILLEGAL_VALUE web.links.db']);
    expect(await wrong(taking({ upstream: 'nodename' }))).toEqual(['COMPONENT_CONSTRAINT web.links.db']);
  });

  it('are refused where they lead to nothing, to the wrong type, to themselves or in a circle', async () => {
    expect(await wrong(shop({ components: { web: web({ links: { db: 'dbx' } }) } }))).toEqual(['UNKNOWN_COMPONENT web.links.db']);
    expect(await wrong(shop({ components: { web: web({ links: { db: 'web' } }) } }))).toEqual(['DEPENDS_ON_ITSELF web.links.db']);
    expect(await wrong(shop({ components: { web: web(), db: { type: 'Server' } } }))).toEqual(['COMPONENT_CONSTRAINT web.links.db']);
    expect(await wrong(shop({ components: { web: web({ links: { cache: 'db' } }), db: { type: 'Database' } } }))).toEqual([
      'COMPONENT_CONSTRAINT web.links.cache',
    ]);
    expect(await wrong(shop({ components: { web: web(), db: { type: 'Database', after: ['web'] } } }))).toEqual(['DEPENDS_ON_ITSELF web']);
    const round = {
      a: { type: 'Service', links: { x: { to: 'b', take: { v: 'w' } } } },
      b: { type: 'Service', links: { x: { to: 'a', give: {}, take: { w: 'v' } } } },
    };
    expect((await wrong(shop({ components: round }))).sort()).toEqual(['DEPENDS_ON_ITSELF a', 'DEPENDS_ON_ITSELF a.links.x']);
  });

  it('are told to be missing where a type requires them', async () => {
    const types = copy('acme/web', { App: { links: { store: { required: true, type: 'Service' } } } });
    expect(await wrong(filesOf({ components: { app: { type: 'App' } } }, types))).toEqual(['UNMET_DEPENDENCY app']);
  });

  it('take from other services that are converged, and from the target', async () => {
    const resource = {
      name: 'db',
      component: 'db',
      node: 'node3',
      types: ['Database', 'Service'],
      properties: { port: 1234, password: 'pw' },
      secrets: ['password'],
    };
    const services = [
      { name: 'backend', phase: 'Ready' as const, resources: [resource] },
      { name: 'cold', phase: 'Staged' as const, resources: [] },
    ];
    const linked = (to: string) =>
      shop({
        target: 'prod',
        components: {
          web: {
            type: 'Server',
            links: { db: { to, take: { upstream: 'node.address', 'db-port': 'port', password: 'password' }, give: {} } },
          },
        },
      });
    const around = world({ services, secrets: ['pw'], targets: [{ name: 'prod', offers: { port: 99 } }] });
    const { resources } = await desiredOf(linked('backend/db'), around);
    expect(resources.get('web')).toMatchObject({
      properties: { upstream: '10.0.0.3', 'db-port': 1234, password: 'pw' },
      needs: [],
      secrets: ['password'],
    });
    expect(await wrong(linked('cold/db'), around)).toEqual(['TARGET_NOT_READY web.links.db']);
    expect(await wrong(linked('none/db'), around)).toEqual(['UNMET_DEPENDENCY web.links.db']);
    expect(await wrong(linked('backend/x'), around)).toEqual(['UNKNOWN_COMPONENT web.links.db']);
    const target = shop({
      target: 'prod',
      components: { web: { type: 'Server', links: { net: { to: 'target', take: { 'db-port': 'port', tier: 'tier' } } } } },
    });
    expect(await wrong(target, around)).toEqual(['TARGET_MISSING web.links.net']);
  });

  it('take the address of a node that has none from itself only', async () => {
    const components = (on: string) => ({ web: { type: 'Server', on, links: { db: 'db' } }, db: { type: 'Database' } });
    const { resources } = await desiredOf(shop({ components: components('self') }), world({ addresses: false }));
    expect(resources.get('web')?.properties['upstream']).toBe('127.0.0.1');
    expect(await wrong(shop({ components: components('tags=web') }), world({ addresses: false }))).toEqual([
      'UNMET_DEPENDENCY web.links.db',
    ]);
  });
});

describe('targets', () => {
  it.each([
    ['none', {}, ['TARGET_MISSING target-kind']],
    ['gone', { target: 'gone' }, ['TARGET_MISSING target']],
    ['of another kind', { target: 'cloud' }, ['TARGET_MISSING target']],
    ['an ordinary service', { target: 'plain' }, ['TARGET_MISSING target']],
    ['not converged', { target: 'cold' }, ['TARGET_NOT_READY target']],
    ['the service itself', { target: 'shop' }, ['DEPENDS_ON_ITSELF target']],
  ])('are refused: %s', async (_what, more, expected) => {
    const targets = [
      { name: 'cloud', kind: 'cloud' },
      { name: 'plain', isTarget: false, kind: 'hosts' },
      { name: 'cold', kind: 'hosts', phase: 'Failed' as const },
    ];
    const components = { web: { type: 'Server', properties: { tier: '${target.tier}' } } };
    expect(await wrong(shop({ 'target-kind': 'hosts', components, ...more }), world({ targets }))).toEqual(expected);
  });

  it('offer values, of which those of secrets are marked', async () => {
    const files = shop({
      role: 'target',
      'parameter-rules': { key: { type: 'secret' }, hosts: { type: 'array' } },
      parameters: { key: 'cloud-key', hosts: ['node2', 'node3'] },
      components: { db: { type: 'Database', on: { nodes: 'tags=web', count: 2 } } },
      offers: {
        nodes: 'name=${parameters.hosts}',
        credential: '${parameters.key}',
        port: '${components.db.port}',
        at: '${components.db.node.address}',
      },
    });
    expect(await desiredOf(files)).toMatchObject({
      offers: { nodes: 'name=node2,node3', credential: 'cloud-key', port: [5432, 5432], at: ['10.0.0.2', '10.0.0.3'] },
      secretOffers: ['credential'],
    });
    expect(await wrong(shop({ role: 'target', offers: { nodes: 5, x: '${components.y.z}' } }))).toEqual([
      'ILLEGAL_VALUE offers.nodes',
      'UNKNOWN_COMPONENT offers.x',
    ]);
  });
});

describe('secrets', () => {
  it('have to be there for resources of this node, and what is written is never told', async () => {
    const secret = 'hunter2';
    const files = shop({
      'parameter-rules': { pw: { type: 'secret', default: secret } },
      components: {
        a: { type: 'Database', properties: { password: secret } },
        b: { type: 'Database', on: 'tags=web', properties: { password: 'there' } },
        c: { type: 'Database', properties: { password: 'Not A Name hunter2' } },
        d: {
          type: 'Server',
          properties: { port: '${parameters.pw}', tier: 'x${parameters.pw}' },
          links: { db: { to: 'a', take: { 'db-port': 'password' }, give: {} } },
        },
      },
    });
    expect((await wrong(files)).sort()).toEqual([
      'ILLEGAL_VALUE c.password',
      'ILLEGAL_VALUE d.links.db',
      'ILLEGAL_VALUE d.port',
      'ILLEGAL_VALUE d.tier',
      'SECRET_MISSING a.password',
    ]);
    expect(JSON.stringify((await expand(files, world())).violations)).not.toContain(secret);
  });
});

describe('relations', () => {
  it('are between resources on one node where there are such, and keep to the rules of the types', async () => {
    const rack = { type: 'Rack', on: { nodes: 'tags=web', count: 'all' } };
    const { resources } = await desiredOf(
      shop({ components: { rack, web: { type: 'Server', parents: ['rack'], on: { nodes: 'tags=web', count: 'all' } } } }),
    );
    expect(resources.get('web-node2')?.parents).toEqual(['rack-node2']);
    const one = { type: 'Rack' };
    expect(
      await wrong(shop({ components: { rack: one, web: { type: 'Server', parents: ['rack'], on: { count: 3, nodes: 'name=.*' } } } })),
    ).toEqual(['COMPONENT_CONSTRAINT rack']);
    expect(await wrong(shop({ components: { rack: one, db: { type: 'Database', parents: ['rack'] } } }))).toEqual([
      'COMPONENT_CONSTRAINT db.parents',
    ]);
    expect(
      await wrong(shop({ components: { a: { type: 'Server', parents: ['b', 'x'] }, b: { type: 'Server', parents: ['a'] } } })),
    ).toEqual(['UNKNOWN_COMPONENT a.parents', 'DEPENDS_ON_ITSELF a.parents']);
  });
});

describe('parents', () => {
  it('are not more than a resource may have with its node', async () => {
    const components = (count: number) => ({
      rack: { type: 'Server', on: { count, together: true } },
      web: { type: 'Server', parents: ['rack'] },
    });
    expect(await wrong(shop({ components: components(255) }))).toEqual([]);
    expect(await wrong(shop({ components: components(256) }))).toEqual(['TOO_MANY web.parents']);
  });
});

describe('types', () => {
  it('have to be there, concrete and sound', async () => {
    expect(await wrong(shop({ components: { a: { type: 'Sever' }, b: { type: 'Base' } } }))).toEqual([
      'UNKNOWN_TYPE a.type',
      'COMPONENT_CONSTRAINT b.type',
    ]);
    const odd = copy('acme/odd', {
      server: {},
      X: { extends: 'Y' },
      P: { extends: 'Q' },
      Q: { extends: 'P' },
      R: { properties: { a: { type: 'port', default: 0 } }, children: [{ type: 'Z' }] },
      Node: {},
    });
    expect((await wrong(filesOf({}, WEB, odd))).sort()).toEqual([
      'DEPENDS_ON_ITSELF acme/odd types.P',
      'DEPENDS_ON_ITSELF acme/odd types.Q',
      'DUPLICATE_TYPE acme/odd types.server',
      'MODULE_INVALID acme/odd types.Node',
      'MODULE_INVALID acme/odd types.R.properties.a.default',
      'UNKNOWN_TYPE acme/odd types.R.children',
      'UNKNOWN_TYPE acme/odd types.X',
    ]);
    expect(await wrong(filesOf({ components: { web: { type: 'Server' } } }))).toEqual(['MISSING_MODULE dtk.service.yaml:1:1']);
    const needing = copy('acme/web', { X: { extends: 'OfNone' } }, { dependencies: { 'acme/none': '*' } });
    expect(await wrong(filesOf({}, needing))).toEqual(['MISSING_MODULE modules/acme/web']);
  });

  it('bring the commands of the types that they extend', async () => {
    const base = copy('acme/base', { Base: { commands: { create: RUN, stop: RUN } } });
    const own = copy('acme/web', { App: { extends: 'Base', commands: { stop: { ...RUN, private: true }, start: RUN } } });
    const { resources } = await desiredOf(filesOf({ components: { app: { type: 'app' } } }, base, own));
    expect(resources.get('app')).toMatchObject({ type: 'App', commands: ['create', 'start'] });
  });
});

describe('apps', () => {
  it('are one for each node, and lead to where the component listens', async () => {
    const files = shop({
      'parameter-rules': { domains: { type: 'array', default: ['acme', 'other'] } },
      components: { web: { type: 'Server', on: { nodes: 'tags=web', count: 3, together: true } } },
      apps: { shop: { component: 'web', domains: ['${parameters.domains}'], authenticationType: 'None' } },
    });
    const endpoints = [{ address: '127.0.0.1', port: 8080 }];
    expect((await desiredOf(files)).apps).toEqual(
      ['node2', 'node3'].map((node) => ({
        component: 'web',
        authenticationType: 'None',
        domains: ['acme', 'other'],
        name: 'shop-shop',
        node,
        endpoints,
      })),
    );
  });

  it('are refused where the component or its port is not there', async () => {
    const apps = {
      a: { component: 'x', domains: ['acme'] },
      b: { component: 'web', port: 'prot', domains: ['acme'] },
      c: { component: 'web', port: 'db-port', domains: ['acme'] },
    };
    expect(await wrong(shop({ components: { web: { type: 'Server' } }, apps }))).toEqual([
      'UNKNOWN_COMPONENT apps.a.component',
      'ILLEGAL_VALUE apps.b.port',
      'REQUIRED_UNSET apps.c.port',
    ]);
  });
});

describe('workflows', () => {
  it('are filled in but for options, and judged as a whole', async () => {
    const steps = [{ component: 'web', command: 'restart' }];
    const option = { prefix: { default: 'a' } };
    const types = copy('acme/web', { Server: { commands: { restart: { ...RUN, options: { to: {} } } } } });
    const written = {
      roll: { options: option, steps: [{ component: 'web', command: 'restart', options: { to: '${options.prefix}-${parameters.p}' } }] },
    };
    const sound = await desiredOf(
      filesOf({ 'parameter-rules': { p: { default: '$${x' } }, components: { web: { type: 'Server' } }, workflows: written }, types),
    );
    expect(sound.workflows['roll']?.steps[0]?.options).toEqual({ to: '${options.prefix}-$${x' });
    const bad = {
      a: { steps: [{ workflow: 'b' }] },
      b: {
        steps: [
          { workflow: 'a' },
          { workflow: 'c' },
          { component: 'x' },
          { component: 'web', command: 'start' },
          { component: 'web', command: 'hidden' },
        ],
      },
      d: { steps },
    };
    expect((await wrong(shop({ components: { web: { type: 'Server' } }, workflows: bad }))).sort()).toEqual([
      'COMPONENT_CONSTRAINT workflows.b.steps[3].command',
      'COMPONENT_CONSTRAINT workflows.b.steps[4].command',
      'DEPENDS_ON_ITSELF workflows.a',
      'ILLEGAL_VALUE workflows.b.steps[1].workflow',
      'UNKNOWN_COMPONENT workflows.b.steps[2].component',
    ]);
    const tower = Object.fromEntries(
      Array.from({ length: 8 }, (_, index) => [
        `w${index}`,
        { steps: Array.from({ length: 10 }, () => (index === 7 ? { component: 'web' } : { workflow: `w${index + 1}` })) },
      ]),
    );
    expect(await wrong(shop({ components: { web: { type: 'Server' } }, workflows: tower }))).toContain('TOO_MANY workflows.w0');
  });

  it('give commands and other workflows the options that these have and need', async () => {
    const options = { speed: { type: 'integer', required: true }, level: { allowed: ['a', 'b'], default: 'a' } };
    const types = copy('acme/web', { Server: { commands: { go: { ...RUN, options } } } });
    const go = (given: object | undefined) => ({ component: 'web', command: 'go', ...(given === undefined ? {} : { options: given }) });
    const body = (steps: readonly object[]) =>
      filesOf(
        {
          'parameter-rules': { fast: { type: 'string' }, other: { type: 'string', required: true }, later: { type: 'integer' } },
          parameters: { fast: 'very', other: '2' },
          components: { web: { type: 'Server' } },
          workflows: {
            roll: { options: { speed: { type: 'integer', required: true } }, steps: [go({ speed: '${options.speed}' })] },
            all: { steps },
          },
        },
        types,
      );
    const called = (given: object) => ({ workflow: 'roll', options: given });
    expect(await wrong(body([go({ speed: 3, level: 'b' }), go({ speed: '${parameters.other}' }), called({ speed: '1' })]))).toEqual([]);
    expect(await wrong(body([go({ speed: '${parameters.later}' }), called({ speed: '${parameters.later}' })]))).toEqual([]);
    expect(
      await wrong(
        body([
          go(undefined),
          go({ speed: 'fast' }),
          go({ speed: 1, level: 'c' }),
          go({ speed: '${parameters.fast}' }),
          called({}),
          called({ speed: 'x', to: 1 }),
        ]),
      ),
    ).toEqual([
      'REQUIRED_UNSET workflows.all.steps[0].options',
      'ILLEGAL_VALUE workflows.all.steps[1].options.speed',
      'ILLEGAL_VALUE workflows.all.steps[2].options.level',
      'ILLEGAL_VALUE workflows.all.steps[3].options.speed',
      'REQUIRED_UNSET workflows.all.steps[4].options',
      'ILLEGAL_VALUE workflows.all.steps[5].options.speed',
      'COMPONENT_CONSTRAINT workflows.all.steps[5].options.to',
    ]);
  });

  it('and what a converge runs by itself cannot need options', async () => {
    const needing = (more: object, command = 'create') =>
      wrong(
        filesOf(
          { components: { web: { type: 'Server' } } },
          copy('acme/web', { Server: { commands: { [command]: { ...RUN, options: { token: { required: true, ...more } } }, go: RUN } } }),
        ),
      );
    expect(await needing({})).toEqual(['COMPONENT_CONSTRAINT web.type']);
    expect(await needing({ default: 'x' })).toEqual([]);
    expect(await needing({ property: 'name' })).toEqual([]);
    expect(await needing({}, 'converge')).toEqual(['COMPONENT_CONSTRAINT web.type']);
    const workflow = { options: { a: { required: true } }, steps: [{ component: 'web' }] };
    const following = (workflows: object) => wrong(shop({ components: { web: { type: 'Server' } }, workflows }));
    expect(await following({ create: workflow })).toEqual(['REQUIRED_UNSET workflows.create.options.a']);
    // what it does not run keeps nothing from being brought up
    expect([await needing({}, 'check'), await needing({}, 'delete'), await following({ delete: workflow })]).toEqual([[], [], []]);
  });

  it('are judged in however long a row they call one another', async () => {
    const row = Object.fromEntries(
      Array.from({ length: 6_000 }, (_, index) => [
        `w${index}`,
        { steps: [index === 5_999 ? { component: 'web', command: 'restart' } : { workflow: `w${index + 1}` }] },
      ]),
    );
    expect(await wrong(shop({ components: { web: { type: 'Server' } }, workflows: row }))).toContain('TOO_MANY workflows.w0');
  });
});

describe('a name that an object of the service is to have', () => {
  it('may not be that of anything else', async () => {
    const files = shop({
      components: { web: { type: 'Server', on: { count: 2, together: true }, properties: { port: 80 } } },
      apps: { front: { component: 'web', domains: ['a'] } },
    });
    const objects = ['models/shop', 'types/shop.server', 'resources/shop.web-2', 'resources/shop.other'];
    const taken = [...objects, 'node1/dtapps/shop-front', 'node2/services/shop-front'];
    expect(await wrong(files, world({ taken }))).toEqual([
      'ILLEGAL_VALUE name',
      'ILLEGAL_VALUE acme/web types.Server',
      'ILLEGAL_VALUE web',
      'ILLEGAL_VALUE apps.front',
    ]);
  });
});

describe('the digest of a resource', () => {
  it('changes with its values, code, node and parents, and with nothing else', async () => {
    const digestOf = async (component: object, types = WEB): Promise<string | undefined> =>
      (await desiredOf(filesOf({ components: { web: { type: 'Server', ...component } } }, types))).resources.get('web')?.digest;
    const plain = await digestOf({});
    expect(await digestOf({ description: 'x' })).toBe(plain);
    for (const other of [{ properties: { tier: 'gold' } }, { on: 'tags=web' }, { type: 'Service' }])
      expect(await digestOf(other)).not.toBe(plain);
    expect(await digestOf({}, { ...WEB, digest: 'f'.repeat(64) })).not.toBe(plain);
    expect(appliedOf(await desiredOf(shop({ components: { web: { type: 'Server' } } }))).get('web')?.digest).toBe(plain);
  });
});

describe('texts that are filled in', () => {
  const templated = (to: object) => {
    const made = copy('acme/web', {
      Server: {
        properties: { port: { type: 'port', default: 80 }, bare: {}, pass: { type: 'secret' } },
        templates: [{ from: 'site.conf', to: 'site.conf' }],
        commands: {
          create: { script: { inline: 'true', args: ['${properties.bare}'] } },
          other: { script: { inline: 'true', args: ['${properties.no}'] } },
        },
      },
      Child: { properties: { up: { exported: true } } },
      ...to,
    });
    const data = Uint8Array.from(Buffer.from('port ${properties.port}\n  up ${properties.up}\n'));
    return { ...made, archive: { ...made.archive, files: [{ path: 'site.conf', executable: false, data }] } };
  };

  it('have values for all that they refer to, or the node would refuse them', async () => {
    const files = filesOf({ components: { web: { type: 'Server' } } }, templated({}));
    expect(await wrong(files)).toEqual(['COMPONENT_CONSTRAINT modules/acme/web/site.conf:2:6', 'REQUIRED_UNSET web.bare']);
    const { violations } = await expand(files, world());
    expect(violations[1]).toMatchObject({ next: 'dtkd service set shop web.bare=VALUE, or give it a default.' });
  });

  it('may refer to what links bring, and to what children export', async () => {
    const components = {
      web: { type: 'Server', links: { db: { to: 'db', take: { bare: 'name' } } } },
      db: { type: 'Database', properties: { name: 'orders' } },
      child: { type: 'Child', parents: ['web'], properties: { up: 'yes' } },
    };
    await desiredOf(filesOf({ components }, templated({ Database: { properties: { name: {} } } })));
  });
});
