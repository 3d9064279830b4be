import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideMove } from '../../../../daemon/src/access/moves.ts';
import type { Applying, ResourceToWrite, TypeToWrite } from '../../../../daemon/src/catalog/instances/apply/apply.types.ts';
import { createInstanceObjects } from '../../../../daemon/src/catalog/instances/apply/instance-objects.ts';
import type { Decide, DecideMove } from '../../../../daemon/src/catalog/model/ports.ts';
import { Rights } from '../../../../daemon/src/catalog/model/rights.ts';
import type { LocalStore } from '../../../../daemon/src/store/local-store.types.ts';
import type { ModuleType } from '../../../../protocol/definitions/module.ts';
import { INSTANCE_LABEL } from '../../../../protocol/kinds/service-instance.ts';
import type { Principal } from '../../../../protocol/rights/principal.ts';
import {
  catalog,
  causes,
  effective,
  model,
  NODE,
  OPERATOR,
  object,
  ref,
  refusal,
  remove,
  resource,
  type,
  write,
} from '../../model/fixtures.ts';

const KEY = 'a'.repeat(64);
const DIGEST = 'd'.repeat(64);
const OPS: Principal = { type: 'user', home: 'self', name: 'ops', uid: 'u1', display: 'ops@node0' };
const instanceRef = (name: string) => ref('serviceinstances', name);
const instanceObject = (name: string) => ({ ...object('ServiceInstance', name, { module: 'acme/web' }) });

async function fresh(decide: Decide = () => ({ allowed: true })) {
  const { store, catalog: made } = await catalog(decide);
  const move: DecideMove = (principal, about, before, after) => decideMove({ decide }, principal, about, before, after);
  const objects = createInstanceObjects({ node: NODE, rights: new Rights({ decide, decideMove: move, node: NODE }) });
  /** In one transaction that writes the ServiceInstance, too. */
  const as = <T>(work: (as: Applying) => Promise<T>, { instance = 'shop', principal = OPERATOR } = {}): Promise<T> =>
    store.transact(async (tx) => {
      const before = await tx.get(instanceRef(instance));
      const count = Number(before?.metadata.annotations?.['count'] ?? 0) + 1;
      const next = before ?? instanceObject(instance);
      await tx.put({ ...next, metadata: { ...next.metadata, annotations: { count: String(count) } } });
      return work({ tx, principal, instance });
    });
  return { store, catalog: made, objects, as };
}

function types(
  all: Record<string, ModuleType>,
  { version = '0.0.1', digest = DIGEST, module = 'acme/web', instance = 'shop' } = {},
): TypeToWrite[] {
  const code = { name: `${module}@${instance}`, version, digest, publisher: KEY };
  return Object.entries(all).map(([name, one]) => ({ name, type: one, code }));
}

const web = (name: string, more: Partial<ResourceToWrite> = {}): ResourceToWrite => ({
  name,
  component: 'web',
  type: 'WebServer',
  node: NODE,
  properties: {},
  parents: [],
  ...more,
});

const TYPES: Record<string, ModuleType> = {
  Base: { extends: 'Service', open: false },
  WebServer: {
    extends: 'base',
    properties: { port: { type: 'port', required: true, default: 80 } },
    children: [{ type: 'webserver' }, { type: 'Setting', max: 2 }],
    parents: [{ type: 'node' }, { type: 'Cluster' }, { type: 'WebServer' }],
    links: { db: { type: 'Database', take: { port: 'port' } } },
    commands: { create: { script: { file: 'create.sh' } } },
    templates: [{ from: 'a.conf', to: 'a.conf' }],
  },
  Cluster: {},
};

const specOf = async (store: LocalStore, kind: string, name: string) => (await store.get(ref(kind, name)))?.['spec'];

describe('objects of an instance', () => {
  it('have types of its own, which mean each other, and its resources in a model of its name', async () => {
    const { store, objects, as, catalog: made } = await fresh();
    await write(store, type('Database', {}));
    const written = await as((on) =>
      objects.apply(on, {
        description: 'a shop',
        types: types(TYPES),
        resources: [
          web('web-1'),
          web('web-2', { parents: ['web-1'], properties: { port: 8080 } }),
          web('conf', { type: 'setting', component: 'conf' }),
        ],
        deleted: [],
      }),
    );
    expect(written.types).toMatchObject({ created: ['Base', 'WebServer', 'Cluster'], changed: [], removed: [] });
    expect(written.types.code).toEqual([{ name: 'acme/web@shop', version: '0.0.1', digest: DIGEST, publisher: KEY }]);
    expect(written.resources).toEqual({ created: ['web-1', 'web-2', 'conf'], changed: [], removed: [] });
    expect(await specOf(store, 'Model', 'shop')).toEqual({ description: 'a shop' });
    expect(await specOf(store, 'Type', 'shop.webserver')).toEqual({
      ...TYPES['WebServer'],
      name: 'WebServer@shop',
      extends: 'Base@shop',
      children: [{ type: 'WebServer@shop' }, { type: 'Setting', max: 2 }],
      parents: [{ type: 'Node' }, { type: 'Cluster@shop' }, { type: 'WebServer@shop' }],
      links: { db: { type: 'Database', take: { port: 'port' } } },
      module: { name: 'acme/web@shop', version: '0.0.1', digest: DIGEST, publisher: KEY },
      instance: 'shop',
    });
    const stored = await store.get(ref('Resource', 'shop.web-2'));
    expect(stored?.metadata.labels).toEqual({ [INSTANCE_LABEL]: 'shop', 'dtkd.dev/component': 'web' });
    expect(stored?.['spec']).toEqual({
      model: 'shop',
      type: 'WebServer@shop',
      name: 'web-2',
      properties: { port: 8080 },
      parents: ['node/node0', 'shop.web-1'],
    });
    expect(await specOf(store, 'Resource', 'shop.conf')).toMatchObject({ type: 'Setting' });
    expect(await effective(made, 'resources', 'shop.web-1')).toMatchObject({
      types: ['WebServer@shop', 'Base@shop', 'Service'],
      violations: [],
    });
  });

  it('are written again only where something is new', async () => {
    const { store, objects, as } = await fresh();
    const state = { types: types(TYPES), resources: [web('web-1')], deleted: [] };
    await as((on) => objects.apply(on, state));
    await write(store, {
      ...(await stored(store, 'shop.web-1')),
      metadata: { ...(await stored(store, 'shop.web-1')).metadata, annotations: { mine: '1' } },
    });
    const before = store.version();
    expect(await as((on) => objects.apply(on, state))).toMatchObject({
      types: { created: [], changed: [], removed: [] },
      resources: { created: [], changed: [], removed: [] },
    });
    expect(store.version()).toBe(before + 1);
    const changed = await as((on) => objects.applyResources(on, [web('web-1', { properties: { port: 81 } })], []));
    expect(changed).toEqual({ created: [], changed: ['web-1'], removed: [] });
    expect((await stored(store, 'shop.web-1')).metadata).toMatchObject({ generation: 2, annotations: { mine: '1' } });
  });

  it('keep types that resources are of, until these go', async () => {
    const { store, objects, as } = await fresh();
    const old = { Old: {}, OldWeb: { extends: 'Old' }, Unused: {}, WebServer: {} };
    await as((on) =>
      objects.apply(on, {
        types: types(old),
        resources: [web('web-1', { type: 'OldWeb' }), web('web-2', { type: 'OldWeb' })],
        deleted: [],
      }),
    );
    const next = types({ WebServer: {} }, { version: '0.0.2', digest: 'e'.repeat(64) });
    const kept = await as((on) => objects.apply(on, { types: next, resources: [web('web-2')], deleted: [] }));
    expect(kept.types).toMatchObject({ changed: ['WebServer'], removed: ['Unused'] });
    // where the newer code runs, the name of the copy is followed forward only
    expect(kept.types.code.map(({ name, version }) => [name, version])).toEqual([
      ['acme/web@shop', '0.0.2'],
      ['acme/web@shop.1', '0.0.1'],
    ]);
    const left = { extends: 'Old@shop', module: { name: 'acme/web@shop.1', version: '0.0.1', digest: DIGEST } };
    expect(await specOf(store, 'Type', 'shop.oldweb')).toMatchObject(left);
    const again = types({ WebServer: {} }, { version: '0.0.3', digest: 'f'.repeat(64) });
    await as((on) => objects.apply(on, { types: again, resources: [web('web-2')], deleted: [] }));
    expect(await specOf(store, 'Type', 'shop.oldweb')).toMatchObject(left);
    const gone = await as((on) => objects.apply(on, { types: next, resources: [web('web-2')], deleted: ['web-1'] }));
    expect(gone).toMatchObject({ types: { removed: ['Old', 'OldWeb'] }, resources: { removed: ['web-1'] } });
    expect(gone.types.code).toHaveLength(1);
    await as(async (on) => {
      await objects.removeAll(on);
      await on.tx.delete(instanceRef('shop'));
    });
    expect((await store.list({ group: 'dtkd.dev', plural: 'types', namespace: NODE, labelSelector: INSTANCE_LABEL })).items).toEqual([]);
    expect(await store.get(ref('Model', 'shop'))).toBeUndefined();
  });

  it('that are being taken down do not hold up a change of their types, and are judged again if they are wanted again', async () => {
    const { store, objects, as } = await fresh();
    const state = { resources: [web('web-1')], deleted: [] };
    await as((on) => objects.apply(on, { ...state, types: types({ WebServer: { open: true } }) }));
    const strict = types({ WebServer: { properties: { need: { required: true } } } }, { version: '0.0.2' });
    const without = { resources: [], deleted: [] };
    expect(await refusal(as((on) => objects.apply(on, { ...without, types: strict })))).toMatchObject({ code: 'CONFLICT' });
    await as((on) => objects.apply(on, { ...without, types: strict, leaving: ['web-1'] }));
    await as((on) =>
      objects.apply(on, { ...without, types: types({ WebServer: { abstract: true } }, { version: '0.0.3' }), leaving: ['web-1'] }),
    );
    const left = await stored(store, 'shop.web-1');
    expect(left.metadata.labels).toMatchObject({ 'dtkd.dev/leaving': 'true' });
    expect(await refusal(write(store, { ...left, metadata: { ...left.metadata, labels: { [INSTANCE_LABEL]: 'shop' } } }))).toMatchObject({
      code: 'CONFLICT',
    });
    expect(causes(await refusal(as((on) => objects.apply(on, { ...state, types: strict }))))[0]).toContain('need');
    await as((on) => objects.apply(on, { types: strict, resources: [web('web-1', { properties: { need: 'x' } })], deleted: [] }));
    expect(Object.keys((await stored(store, 'shop.web-1')).metadata.labels ?? {})).not.toContain('dtkd.dev/leaving');
  });

  it('of two instances have nothing to do with one another', async () => {
    const { store, objects, as } = await fresh();
    await as((on) => objects.apply(on, { types: types(TYPES), resources: [web('web-1')], deleted: [] }));
    const strict = { WebServer: { properties: { need: { required: true } } } };
    await as((on) => objects.apply(on, { types: types(strict, { instance: 'other' }), resources: [], deleted: [] }), { instance: 'other' });
    await as((on) => objects.removeAll(on), { instance: 'other' });
    expect(await specOf(store, 'Type', 'shop.webserver')).toBeDefined();
    expect(await specOf(store, 'Type', 'other.webserver')).toBeUndefined();
  });

  it('are refused where a type is not there, is there twice, or a name is taken', async () => {
    const { store, objects, as } = await fresh();
    const apply = (all: TypeToWrite[], resources: ResourceToWrite[] = []) =>
      refusal(as((on) => objects.apply(on, { types: all, resources, deleted: [] })));
    await write(store, model('web'), type('Mine', {}), object('Type', 'shop.taken', { name: 'Taken' }));
    expect(await apply(types({ Web: { extends: 'Mine' } }))).toMatchObject({ code: 'INVALID' });
    expect(await apply([], [web('web-1', { type: 'Mine' })])).toMatchObject({ code: 'INVALID' });
    expect(await apply([...types({ Web: {} }), ...types({ web: {} }, { module: 'acme/two' })])).toMatchObject({ code: 'ALREADY_EXISTS' });
    expect(await apply(types({ Taken: {} }))).toMatchObject({ code: 'ALREADY_EXISTS' });
    await write(store, model('shop'));
    expect(await apply([])).toMatchObject({ code: 'ALREADY_EXISTS', message: expect.stringContaining('Model "shop"') });
    expect(await store.get(instanceRef('shop'))).toBeUndefined();
  });

  it('are judged by the rules of the model', async () => {
    const { objects, as } = await fresh();
    const error = await refusal(
      as((on) => objects.apply(on, { types: types(TYPES), resources: [web('web-1', { properties: { port: 'no' } })], deleted: [] })),
    );
    expect(causes(error)[0]).toContain('spec.properties.port');
  });

  it('are written with the rights of who asks', async () => {
    const rights = new Set(['CREATE models', 'CREATE types', 'CREATE resources']);
    const { objects, as, store } = await fresh((principal, { verb, plural }) =>
      principal.type === 'operator' || rights.has(`${verb} ${plural}`)
        ? { allowed: true }
        : { allowed: false, reason: `no ${verb} ${plural}` },
    );
    const apply = (port: number) =>
      as((on) => objects.apply(on, { types: types(TYPES), resources: [web('web-1', { properties: { port } })], deleted: [] }), {
        principal: OPS,
      });
    expect(await refusal(apply(1))).toMatchObject({ code: 'FORBIDDEN', message: 'no EXECUTE nodes' });
    rights.add('EXECUTE nodes');
    await apply(1);
    expect((await stored(store, 'shop.web-1')).metadata.annotations).toMatchObject({});
    expect(await refusal(apply(2))).toMatchObject({ code: 'FORBIDDEN', message: 'no UPDATE resources' });
    expect(await refusal(as((on) => objects.removeAll(on), { principal: OPS }))).toMatchObject({ message: 'no DELETE resources' });
  });
});

describe('by hand', () => {
  it('nothing of an instance is changed, made or taken away', async () => {
    const { store, objects, as } = await fresh();
    await as((on) => objects.apply(on, { types: types(TYPES), resources: [web('web-1')], deleted: [] }));
    await write(store, model('web'));
    const here = await stored(store, 'shop.web-1');
    const label = { labels: { [INSTANCE_LABEL]: 'shop' } };
    const tries = [
      write(store, { ...here, spec: { ...Object(here['spec']), properties: { port: 1 } } }),
      write(store, { ...here, metadata: { ...here.metadata, labels: {} } }),
      remove(store, ref('Resource', 'shop.web-1')),
      remove(store, ref('Type', 'shop.cluster')),
      write(store, type('Mine', { extends: 'WebServer@shop' })),
      write(store, object('Type', 'mine', { name: 'Mine@shop' })),
      write(store, object('Type', 'mine', { name: 'Mine', instance: 'other' })),
      write(store, resource('mine', { type: 'WebServer@shop' })),
      write(store, resource('mine', { type: 'Setting', model: 'shop' })),
      write(store, { ...model('mine'), metadata: { ...model('mine').metadata, ...label } }),
      remove(store, ref('Model', 'shop')),
    ];
    expect((await refusal(write(store, type('Mine', { extends: 'WebServer@shop' })))).message).toContain('these belong to the service');
    for (const [at, one] of tries.entries()) {
      const error = await refusal(one);
      expect([at, error.code]).toEqual([at, 'CONFLICT']);
      expect(error.next).toContain('dtkd service set');
    }
    await write(store, { ...here, metadata: { ...here.metadata, labels: { ...here.metadata.labels, mine: '1' } } });
  });

  it('an instance goes only after what it has', async () => {
    const { store, objects, as } = await fresh();
    await as((on) => objects.applyModel(on, {}));
    expect(await refusal(remove(store, instanceRef('shop')))).toMatchObject({
      code: 'CONFLICT',
      next: expect.stringContaining('uninstall'),
    });
    await as((on) => objects.removeAll(on));
    await remove(store, instanceRef('shop'));
  });

  it('what is written with an instance is of it throughout', async () => {
    const { as } = await fresh();
    const put = (one: ReturnType<typeof object>) => refusal(as((on) => on.tx.put(one)));
    const labelled = (one: ReturnType<typeof object>, instance = 'shop') => ({
      ...one,
      metadata: { ...one.metadata, labels: { [INSTANCE_LABEL]: instance } },
    });
    expect(await put(labelled(model('other')))).toMatchObject({ code: 'INVALID' });
    expect(await put(labelled(object('Type', 'shop.x', { name: 'X@other', instance: 'shop' })))).toMatchObject({ code: 'CONFLICT' });
    expect(await put(labelled(object('Type', 'x', { name: 'X' })))).toMatchObject({ code: 'INVALID' });
    expect(await put(object('Type', 'shop.x', { name: 'X@shop', instance: 'shop' }))).toMatchObject({ code: 'INVALID' });
  });
});

async function stored(store: LocalStore, name: string) {
  const found = await store.get(ref('Resource', name));
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

describe('any sequence of states', () => {
  const state = fc.record({
    types: fc.uniqueArray(fc.constantFrom('A', 'B', 'C', 'D'), { maxLength: 4 }),
    resources: fc.uniqueArray(
      fc.record({ name: fc.constantFrom('r1', 'r2', 'r3'), type: fc.constantFrom('A', 'B', 'C', 'D', 'Setting') }),
      {
        selector: ({ name }) => name,
      },
    ),
  });

  it('ends where its last state alone would', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(state, { minLength: 1, maxLength: 4 }), async (states) => {
        const ends: unknown[] = [];
        for (const sequence of [states, states.slice(-1)]) {
          const { store, objects, as } = await fresh();
          let present: string[] = [];
          for (const { types: names, resources } of sequence) {
            const known = resources.filter(({ type: of }) => names.some((one) => one === of) || of === 'Setting');
            const wanted = known.map(({ name, type: of }) => web(name, { type: of }));
            const deleted = present.filter((name) => !known.some((one) => one.name === name));
            await as((on) =>
              objects.apply(on, { types: types(Object.fromEntries(names.map((name) => [name, {}]))), resources: wanted, deleted }),
            );
            present = known.map(({ name }) => name);
          }
          const list = async (plural: string) =>
            (await store.list({ group: 'dtkd.dev', plural, namespace: NODE, labelSelector: `${INSTANCE_LABEL}=shop` })).items.map((one) => [
              one.metadata.name,
              one['spec'],
            ]);
          ends.push([await list('models'), await list('types'), await list('resources')]);
          await store.close();
        }
        expect(ends[0]).toEqual(ends[1]);
      }),
      { numRuns: 25 },
    );
  });
});
