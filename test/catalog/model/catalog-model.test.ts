import { describe, expect, it } from 'vitest';
import type { Decide } from '../../../daemon/src/catalog/model/ports.ts';
import type { Principal } from '../../../protocol/rights/principal.ts';
import {
  act,
  catalog,
  causes,
  document,
  effective,
  model,
  NODE,
  OPERATOR,
  object,
  ref,
  refusal,
  resource,
  type,
  write,
} from './fixtures.ts';

const OPS: Principal = { type: 'user', home: 'self', name: 'ops', uid: 'u1', display: 'ops@node0' };

function context(over: object = {}) {
  const warnings: string[] = [];
  return { principal: OPERATOR, dryRun: false, cascade: true, warn: (text: string) => void warnings.push(text), warnings, ...over };
}

describe('built-in types', () => {
  it('are there after the start, written by nobody, and can be extended', async () => {
    const { store, catalog: made } = await catalog();
    expect((await store.list({ group: 'dtkd.dev', plural: 'types' })).items.map((one) => Reflect.get(Object(one['spec']), 'name'))).toEqual(
      ['Host', 'Package', 'Service', 'Setting', 'Site'],
    );
    expect(await store.originOf(ref('Type', 'service'))).toBe('projection');
    const version = store.version();
    await made.start();
    expect(store.version()).toBe(version);
    await write(store, model('web'), type('Tomcat', { extends: 'Service' }), resource('a', { type: 'Tomcat', properties: { port: 8080 } }));
    expect(causes(await refusal(write(store, object('Type', 'mine', { name: 'sERVICE' }))))[0]).toContain('exists already');
  });

  it('leave alone a type that bears such a name already', async () => {
    const { store, catalog: made, warnings } = await catalog();
    await store.transact(async (tx) => {
      await tx.delete(ref('Type', 'site'));
      await tx.put(object('Type', 'ours', { name: 'Site' }));
    });
    await made.start();
    expect(warnings).toHaveLength(1);
    expect(await store.get(ref('Type', 'site'))).toBeUndefined();
  });
});

describe('handlers', () => {
  it('spell types as the Type does', async () => {
    const { store, catalog: made } = await catalog();
    const resources = made.handlers.get('dtkd.dev/resources');
    const types = made.handlers.get('dtkd.dev/types');
    expect(await resources?.create?.(resource('a', { type: 'sERvice' }), context())).toMatchObject({ spec: { type: 'Service' } });
    expect(await types?.create?.(type('Tomcat', { extends: 'service' }), context())).toMatchObject({ spec: { extends: 'Service' } });
    expect(await resources?.create?.(resource('a', { type: 'unheard' }), context())).toMatchObject({ spec: { type: 'unheard' } });
    await store.close();
  });

  it('let nobody write what is computed', async () => {
    const { store, catalog: made } = await catalog();
    await write(store, model('web'), type('Auto', { properties: { pid: { type: 'integer', dynamic: true, required: true } } }));
    const handler = made.handlers.get('dtkd.dev/resources');
    const computed = resource('a', { type: 'Auto', properties: { pid: 1 } });
    expect(causes(await refusal(Promise.resolve(handler?.create?.(computed, context()))))).toEqual([
      'spec.properties.pid: is computed by the system and cannot be written',
    ]);
    await write(store, resource('a', { type: 'Auto' }));
    await write(store, computed);
    await expect(handler?.update?.(computed, computed, context())).resolves.toBeDefined();
  });
});

describe('a deletion with dependents', () => {
  const tree = [
    model('web'),
    model('other'),
    type('Base'),
    type('Sub', { extends: 'Base' }),
    resource('site', { type: 'Site' }),
    resource('site2', { type: 'Site' }),
    resource('web1', { type: 'Service', parents: ['site'] }),
    resource('web2', { type: 'Service', parents: ['site', 'site2'] }),
    resource('set', { type: 'Setting', parents: ['web1', 'site'] }),
    resource('deployed', { type: 'Service', parents: ['site', `node/${NODE}`] }),
    resource('far', { type: 'Sub', model: 'other', parents: ['web1'] }),
  ];

  it('takes what has no other parent, and detaches the rest', async () => {
    const { store, catalog: made } = await catalog();
    await write(store, ...tree);
    const handler = made.handlers.get('dtkd.dev/resources');
    const site = await store.get(ref('Resource', 'site'));
    if (site === undefined) throw new Error('no site');
    const dry = context({ dryRun: true });
    await handler?.delete?.(site, dry);
    expect(await store.get(ref('Resource', 'site'))).toBeDefined();
    const real = context();
    expect(await handler?.delete?.(site, real)).toMatchObject({ handled: { metadata: { name: 'site' } } });
    expect(real.warnings).toEqual(dry.warnings);
    expect(real.warnings).toEqual(['3 objects that depend on it go with it', '2 resources with other parents stay, detached from it']);
    const left = (await store.list({ group: 'dtkd.dev', plural: 'resources' })).items;
    expect(left.map((one) => [one.metadata.name, Reflect.get(Object(one['spec']), 'parents')])).toEqual([
      ['deployed', [`node/${NODE}`]],
      ['site2', undefined],
      ['web2', ['site2']],
    ]);
    expect(await handler?.delete?.(left[0] ?? site, context({ cascade: false }))).toBeUndefined();
  });

  it('of a model or a type takes its resources', async () => {
    const { store, catalog: made } = await catalog();
    await write(store, ...tree);
    const base = await store.get(ref('Type', 'base'));
    const web = await store.get(ref('Model', 'web'));
    if (base === undefined || web === undefined) throw new Error('not there');
    await made.handlers.get('dtkd.dev/types')?.delete?.(base, context());
    expect(await store.get(ref('Resource', 'far'))).toBeUndefined();
    expect(await store.get(ref('Type', 'sub'))).toBeUndefined();
    await made.handlers.get('dtkd.dev/models')?.delete?.(web, context());
    expect((await store.list({ group: 'dtkd.dev', plural: 'resources' })).items).toEqual([]);
    expect((await store.list({ group: 'dtkd.dev', plural: 'models' })).items).toHaveLength(1);
  });

  it('is refused whole where one dependent may not go', async () => {
    const { store, catalog: made } = await catalog((_principal, { name, verb }) =>
      name === 'set' && verb === 'DELETE' ? { allowed: false, reason: 'ops may not DELETE set' } : { allowed: true },
    );
    await write(store, ...tree);
    const site = await store.get(ref('Resource', 'site'));
    const service = await store.get(ref('Type', 'service'));
    if (site === undefined || service === undefined) throw new Error('not there');
    const error = await refusal(Promise.resolve(made.handlers.get('dtkd.dev/resources')?.delete?.(site, context({ principal: OPS }))));
    expect(error).toMatchObject({ code: 'FORBIDDEN', message: 'ops may not DELETE set' });
    expect((await store.list({ group: 'dtkd.dev', plural: 'resources' })).items).toHaveLength(7);
    expect((await refusal(Promise.resolve(made.handlers.get('dtkd.dev/types')?.delete?.(service, context())))).code).toBe('FORBIDDEN');
  });
});

describe('import', () => {
  const objects = [
    document('Resource', 'set', { model: 'web', type: 'setting', parents: ['front'], properties: { value: 'x' } }),
    document('Resource', 'front', { model: 'web', type: 'TOMCAT', properties: { port: 8080 } }, { labels: { tier: 'front' } }),
    document('Model', 'web', { description: 'the web' }),
    document('Type', 'tomcat', { name: 'Tomcat', extends: 'service', properties: { heap: { type: 'integer', default: 512 } } }),
  ];

  it('takes objects in any order, and changes nothing the second time', async () => {
    const { store, catalog: made } = await catalog();
    const version = store.version();
    expect(await act(made, 'import', { objects, dryRun: true })).toMatchObject({ created: 4, dryRun: true });
    expect(store.version()).toBe(version);
    expect(await act(made, 'import', { objects })).toEqual({
      objects: [
        { kind: 'Resource', name: 'set', result: 'created' },
        { kind: 'Resource', name: 'front', result: 'created' },
        { kind: 'Model', name: 'web', result: 'created' },
        { kind: 'Type', name: 'tomcat', result: 'created' },
      ],
      created: 4,
      changed: 0,
      unchanged: 0,
      dryRun: false,
    });
    expect(await store.get(ref('Resource', 'front'))).toMatchObject({ spec: { type: 'Tomcat' }, metadata: { labels: { tier: 'front' } } });
    const after = store.version();
    expect(await act(made, 'import', { objects })).toMatchObject({ created: 0, changed: 0, unchanged: 4 });
    expect(store.version()).toBe(after);
    const moved = objects.with(1, document('Resource', 'front', { model: 'web', type: 'Tomcat' }));
    expect(await act(made, 'import', { objects: moved })).toMatchObject({ changed: 1, unchanged: 3 });
  });

  it('takes what an export gives: built-in types as they are', async () => {
    const { store, catalog: made } = await catalog();
    const exported = (await store.list({ group: 'dtkd.dev', plural: 'types' })).items;
    expect(await act(made, 'import', { objects: exported })).toMatchObject({ unchanged: 5 });
    const error = await refusal(act(made, 'import', { objects: [document('Type', 'site', { name: 'Site' })] }));
    expect(causes(error)).toEqual(['objects[0]: the type "site" comes with dtkd and cannot be changed; extend it']);
  });

  it('brings no values of what is computed, be its type there or in the import', async () => {
    const { store, catalog: made } = await catalog();
    const base = document('Type', 'base', { name: 'Base', properties: { pid: { type: 'integer', dynamic: true } } });
    const auto = document('Type', 'auto', { name: 'Auto', extends: 'base' });
    const computed = document('Resource', 'a', { model: 'web', type: 'AUTO', properties: { pid: 1 } });
    const refused = 'objects[3].spec.properties.pid: is computed by the system and cannot be written';
    const web = document('Model', 'web', {});
    expect(causes(await refusal(act(made, 'import', { objects: [web, auto, base, computed] })))).toEqual([refused]);
    await act(made, 'import', { objects: [web, auto, base, document('Resource', 'a', { model: 'web', type: 'Auto' })] });
    expect(causes(await refusal(act(made, 'import', { objects: [web, auto, base, computed] })))).toEqual([refused]);
    await write(store, resource('a', { type: 'Auto', properties: { pid: 1 } }));
    expect(await act(made, 'import', { objects: [computed] })).toMatchObject({ unchanged: 1 });
  });

  it('imports nothing if anything is wrong, and names object and field', async () => {
    const { store, catalog: made } = await catalog();
    const version = store.version();
    const broken = [...objects, document('Resource', 'b', { model: 'web', type: 'Service', properties: { port: 'x' } })];
    const error = await refusal(act(made, 'import', { objects: broken }));
    expect(error.message).toContain('nothing was imported: objects[4].spec.properties.port (resources/b): expected a port');
    expect(error.details?.['causes']).toMatchObject([{ index: 4, object: 'resources/b', field: 'objects[4].spec.properties.port' }]);
    expect(store.version()).toBe(version);
  });

  it('names every document that cannot be read', async () => {
    const { catalog: made } = await catalog();
    const error = await refusal(
      act(made, 'import', {
        objects: [
          5,
          document('Service', 'x'),
          document('Model', 'NOT A NAME'),
          document('Model', 'web', { colour: 'red' }),
          document('Model', 'ok'),
          document('Model', 'ok'),
          document('Model', 'far', {}, { namespace: 'node7' }),
          { apiVersion: 'dtkd.dev/v1', kind: 'Model', metadata: {} },
        ],
      }),
    );
    expect(causes(error).map((cause) => cause.split(':')[0])).toEqual([
      'objects[0]',
      'objects[1].kind',
      'objects[2].metadata.name',
      'objects[3].spec.colour',
      'objects[5].metadata.name',
      'objects[6].metadata.namespace',
      'objects[7].metadata.name',
    ]);
    for (const body of [undefined, {}, { objects: [] }, { objects: 'x' }])
      expect((await refusal(act(made, 'import', body))).code).toBe('BAD_REQUEST');
  });

  it('writes with the rights of whoever imports, who has made what is new', async () => {
    const decide: Decide = (principal, { verb, name }) =>
      principal.type === 'operator' || verb === 'CREATE' || (verb === 'UPDATE' && name === 'web')
        ? { allowed: true }
        : { allowed: false, reason: `may not ${verb} ${name}` };
    const { store, catalog: made } = await catalog(decide);
    await act(made, 'import', { objects }, OPS);
    expect((await store.get(ref('Model', 'web')))?.metadata.annotations).toEqual({ 'dtkd.dev/creator': 'ops/u1@self' });
    const change = (one: object) => act(made, 'import', { objects: [one] }, OPS);
    await change(document('Model', 'web', { description: 'new' }));
    expect((await store.get(ref('Model', 'web')))?.metadata.annotations).toEqual({ 'dtkd.dev/creator': 'ops/u1@self' });
    expect(await refusal(change(document('Type', 'tomcat', { name: 'Tomcat' })))).toMatchObject({
      code: 'FORBIDDEN',
      message: 'nothing was imported: objects[0] (types/tomcat): may not UPDATE tomcat',
    });
    const deployed = document('Resource', 'new', { model: 'web', type: 'Site', parents: [`node/${NODE}`] });
    expect(await refusal(change(deployed))).toMatchObject({
      code: 'FORBIDDEN',
      message: `nothing was imported: objects[0] (resources/new): may not EXECUTE ${NODE}`,
    });
  });
});

describe('effective', () => {
  it('shows a resource with defaults, imports, both ends of relations and violations', async () => {
    const { store, catalog: made } = await catalog();
    await write(
      store,
      model('web'),
      type('Tomcat', {
        extends: 'Service',
        children: [{ type: 'Setting' }, { type: 'Package', min: 1 }],
        parents: [{ type: 'Site' }, { type: 'Node', min: 2 }],
      }),
      resource('site', { type: 'Site' }),
      resource('front', { type: 'Tomcat', name: 'Front', properties: { port: 8080 }, parents: ['site', `node/${NODE}`] }),
      resource('s1', { type: 'Setting', properties: { value: 'a', kind: 'path' }, parents: ['front'] }),
      resource('s2', { type: 'Setting', properties: { value: 'b' }, parents: ['front'] }),
    );
    expect(await effective(made, 'resources', 'front')).toEqual({
      name: 'Front',
      model: 'web',
      types: ['Tomcat', 'Service'],
      properties: {
        port: { value: 8080, origin: 'own', type: 'port' },
        'startup-rank': { value: 1, origin: 'default', type: 'integer' },
        kind: { value: 'path', origin: 'imported', child: 's1', type: 'string' },
      },
      imported: { s1: { kind: 'path', value: 'a' }, s2: { value: 'b' } },
      parents: [{ name: 'site', type: 'Site' }],
      children: {
        items: [
          { name: 's1', type: 'Setting' },
          { name: 's2', type: 'Setting' },
        ],
        count: 2,
      },
      deployments: [NODE],
      violations: [
        { field: 'children', message: 'a Tomcat has as children at least 1 of type Package, got 0' },
        { field: 'parents', message: 'a Tomcat has as parents at least 2 of type Node, got 1' },
      ],
    });
    expect(await effective(made, 'resources', 'site')).toMatchObject({ imported: { front: { port: 8080 } }, children: { count: 1 } });
    expect((await refusal(effective(made, 'resources', 'nobody'))).code).toBe('NOT_FOUND');
  });

  it('lets others have the event loop where many children export much', async () => {
    const { store, catalog: made } = await catalog();
    const children = Array.from({ length: 100 }, (_, index) => resource(`c${index}`, { type: 'Package', parents: ['top'] }));
    await write(store, model('web'), resource('top', { type: 'Site' }), ...children);
    let turns = 0;
    setImmediate(() => {
      turns += 1;
    });
    await effective(made, 'resources', 'top');
    expect(turns).toBe(1);
  });

  it('shows of relatives what whoever asks may see of them', async () => {
    const decide: Decide = (_principal, { verb, name }) =>
      name === 'front' || (name === 'seen' && verb === 'DISCOVER') ? { allowed: true } : { allowed: false, reason: 'no' };
    const { store, catalog: made } = await catalog(decide);
    await write(
      store,
      model('web'),
      resource('site', { type: 'Site' }),
      resource('front', { type: 'Service', parents: ['site'] }),
      resource('seen', { type: 'Setting', properties: { value: 'secret' }, parents: ['front'] }),
      resource('unseen', { type: 'Setting', properties: { value: 'secret' }, parents: ['front'] }),
    );
    const shown = await effective(made, 'resources', 'front', OPS);
    expect(shown).toMatchObject({ parents: [], children: { items: [{ name: 'seen' }], count: 2 }, imported: {} });
    expect(JSON.stringify(shown)).not.toMatch(/secret|unseen|site"/);
  });

  it('shows a type with what it inherits, and rules that name nothing', async () => {
    const { store, catalog: made } = await catalog();
    await write(
      store,
      type('Tomcat', { extends: 'Service', properties: { port: { default: 8080 } }, children: [{ type: 'Webapp' }, { type: 'node' }] }),
    );
    expect(await effective(made, 'types', 'tomcat')).toMatchObject({
      name: 'Tomcat',
      types: ['Tomcat', 'Service'],
      properties: { port: { type: 'port', default: 8080, exported: true, from: 'Tomcat' }, basedir: { from: 'Service' } },
      subtypes: [],
      resources: 0,
      violations: [{ field: 'spec.children[0]', message: 'there is no type "Webapp" on this node' }],
    });
    expect(await effective(made, 'types', 'service')).toMatchObject({ subtypes: ['Tomcat'] });
  });
});

describe('refusals to users', () => {
  it('say of a parent that the user may not know of what they say of one that is not there', async () => {
    const decide: Decide = (principal, { verb, name }) =>
      principal.type === 'operator' || verb === 'CREATE' || name === 'mine' ? { allowed: true } : { allowed: false, reason: 'no' };
    const { store, catalog: made } = await catalog(decide);
    await write(
      store,
      model('web'),
      type('Leaf', { children: [] }),
      resource('secret', { type: 'Leaf' }),
      resource('hidden', { type: 'Site' }),
      resource('mine', { type: 'Site' }),
    );
    const handler = made.handlers.get('dtkd.dev/resources');
    const plain = context({ principal: OPS, cascade: false });
    const create = async (parent: string, value: unknown = 'x') => {
      const written = resource('new', { type: 'Setting', properties: { value }, parents: [parent] });
      await write(store, (await handler?.create?.(written, plain)) ?? written);
    };
    const saysOf = async (parent: string, value?: unknown) => {
      const { code, message, next, details } = await refusal(create(parent, value));
      return JSON.stringify({ code, message, next, details }).replaceAll(parent, 'P');
    };
    const absent = await saysOf('absent');
    expect(absent).toContain('there is no resource');
    for (const parent of ['secret', 'hidden']) expect(await saysOf(parent)).toBe(absent);
    expect(await saysOf('hidden', 5)).toBe(await saysOf('absent', 5));
    const imported = async (parent: string) => {
      const objects = [document('Resource', 'new', { model: 'web', type: 'Setting', properties: { value: 'x' }, parents: [parent] })];
      return (await refusal(act(made, 'import', { objects }, OPS))).message.replaceAll(parent, 'P');
    };
    expect(await imported('secret')).toBe(await imported('absent'));
    await create('mine');
  });

  it('name no dependent that the user may not know of', async () => {
    const decide: Decide = (principal, { verb, name }) =>
      principal.type === 'operator' || name === 'top' || name === 'base' || (name === 'seen' && verb === 'DISCOVER')
        ? { allowed: true }
        : { allowed: false, reason: 'no' };
    const { store, catalog: made } = await catalog(decide);
    const base = type('Base', { properties: { p: {} } });
    await write(
      store,
      model('web'),
      base,
      resource('top', { type: 'Site' }),
      resource('seen', { type: 'Base', parents: ['top'], properties: { p: 'hidden value' } }),
      resource('unseen', { type: 'Base', parents: ['top'], properties: { p: 'hidden value' } }),
    );
    const top = await store.get(ref('Resource', 'top'));
    if (top === undefined) throw new Error('not there');
    const plain = context({ principal: OPS, cascade: false });
    const deletion = await refusal(Promise.resolve(made.handlers.get('dtkd.dev/resources')?.delete?.(top, plain)));
    expect(deletion.message).toBe('Resource "top" cannot be deleted: it has children (2): resources/seen, …');
    const narrower = type('Base', { properties: { p: { allowed: ['x'] } } });
    const change = await refusal(Promise.resolve(made.handlers.get('dtkd.dev/types')?.update?.(narrower, base, plain)));
    expect(change.message).toBe('Type "base" cannot be changed like this: it would break resources (2): resources/seen, …');
    const imported = await refusal(act(made, 'import', { objects: [document('Type', 'base', { name: 'Base' })] }, OPS));
    for (const error of [deletion, change, imported]) expect(JSON.stringify([error.message, error.details])).not.toMatch(/hidden|unseen/);
  });
});
