import { afterEach, describe, expect, it } from 'vitest';
import { decideMove } from '../../../daemon/src/access/moves.ts';
import { createBundles } from '../../../daemon/src/catalog/bundles/bundles.ts';
import type { Decide } from '../../../daemon/src/catalog/model/ports.ts';
import { generateSigningKey } from '../../../protocol/keys/signing.ts';
import type { Bundle } from '../../../protocol/orders/bundle.ts';
import { verifyBundle } from '../../../protocol/orders/signed-bundle.ts';
import { model, NODE, OPERATOR, object, ref, refusal, remove, resource, type, write } from '../model/fixtures.ts';
import { type Bench, bench, files, script } from '../modules/fixtures.ts';

let made: Bench[] = [];
afterEach(async () => {
  for (const one of made) await one.close();
  made = [];
});

const allow: Decide = () => ({ allowed: true });

async function fresh() {
  const one = await bench();
  made.push(one);
  const { store, key } = one;
  const bundles = createBundles({
    store,
    node: { name: NODE },
    signingKey: key,
    decide: allow,
    decideMove: (principal, about, before, after) => decideMove({ decide: allow }, principal, about, before, after),
  });
  const read = async (name: string): Promise<Bundle> => verifyBundle(await bundles.bundleOf(name), key.publicKey).bundle;
  return { ...one, bundles, read };
}

const START = { Start: { script: { inline: 'true' } } };

describe('a bundle', () => {
  it('tells of the resource, its children at any depth, its parents, and the types of all', async () => {
    const { store, read, key } = await fresh();
    await write(
      store,
      model('web'),
      type('Base', { properties: { rank: { type: 'integer', default: 1 }, key: { type: 'secret' } }, open: true, commands: START }),
      type('Svc', { extends: 'Base', properties: { port: { type: 'port' } } }),
      type('Setting', { properties: { port: { type: 'port', exported: true } } }),
      type('Site', {}),
    );
    await write(store, object('Node', 'gone', {}));
    await write(
      store,
      resource('site', { type: 'Site' }),
      resource('other', { type: 'Svc', parents: ['site'] }),
      resource('web1', { type: 'Svc', name: 'web one', parents: ['site', 'node/node0', 'node/gone'], properties: { key: 'k1' } }),
      resource('conf', { type: 'Setting', parents: ['web1'], properties: { port: 8080 } }),
      resource('deep', { type: 'Setting', parents: ['conf'] }),
    );
    await remove(store, ref('Node', 'gone'));
    const { resources, types, owner, ownerName, modules } = await read('web1');
    expect({ owner, ownerName, modules }).toEqual({ owner: key.publicKey, ownerName: NODE, modules: [] });
    expect(resources.map(({ object: name }) => name)).toEqual(['web1', 'conf', 'deep', 'site']);
    expect(resources[0]).toMatchObject({
      model: 'web',
      type: 'Svc',
      name: 'web one',
      properties: { rank: 1, key: 'k1', port: 8080 },
      parents: ['site'],
      children: ['conf'],
      deployments: [{ node: 'node0', signingKey: key.publicKey }, { node: 'gone' }],
    });
    expect(resources[0]?.uid).not.toBe('');
    expect(resources[3]).toMatchObject({ object: 'site', children: ['web1'] });
    expect(Object.keys(types).sort()).toEqual(['base', 'setting', 'site', 'svc']);
    expect(types['base']).toMatchObject({
      name: 'Base',
      commands: START,
      secrets: ['key'],
      code: { name: 'type/Base', publisher: key.publicKey },
    });
    expect(types['svc']).toEqual({ name: 'Svc', extends: 'Base' });
  });

  it('names the module that a type comes from, with the signature of its publisher', async () => {
    const { store, read, key, install } = await fresh();
    const { spec } = await install(
      files(
        { Web: { commands: { Start: { script: { file: 'bin/start' } } }, templates: [{ from: 'bin/start', to: 'start' }] } },
        { more: [script('bin/start')] },
      ),
    );
    await write(store, model('web'), type('Mine', { extends: 'Web', commands: START }), resource('a', { type: 'Mine' }));
    const { types, modules } = await read('a');
    expect(types['web']).toEqual({
      name: 'Web',
      code: { name: 'acme/web', version: '1.0.0', digest: Reflect.get(Object(spec), 'digest'), publisher: key.publicKey },
      templates: [{ from: 'bin/start', to: 'start' }],
    });
    expect(types['mine']).toMatchObject({ extends: 'Web', commands: START });
    expect(modules).toHaveLength(1);
  });

  it('knows the signing keys of other nodes from their Node objects', async () => {
    const { store, read } = await fresh();
    const { publicKey } = generateSigningKey();
    await write(store, { ...object('Node', 'node7', {}), status: { signingKey: publicKey } });
    await write(store, model('web'), type('Svc'), resource('a', { type: 'Svc', parents: ['node/node7'] }));
    expect((await read('a')).resources[0]?.deployments).toEqual([{ node: 'node7', signingKey: publicKey }]);
  });

  it('is made anew when the model changes, with a later revision, and not before', async () => {
    const { store, read, bundles } = await fresh();
    await write(store, model('web'), type('Svc', { open: true }), resource('a', { type: 'Svc' }));
    const first = await bundles.bundleOf('a');
    await write(store, { ...object('Event', 'e1'), apiVersion: 'v1' });
    expect(await bundles.bundleOf('a')).toBe(first);
    const { revision } = await read('a');
    await write(store, resource('a', { type: 'Svc', properties: { x: 1 } }));
    const second = await read('a');
    expect(second.revision).toBeGreaterThan(revision);
    expect(second.resources[0]?.properties).toEqual({ x: 1 });
    await remove(store, ref('Resource', 'a'));
    expect((await refusal(bundles.bundleOf('a'))).code).toBe('NOT_FOUND');
  });

  it('tells of a type as it is now, and of its supertypes', async () => {
    const { store, read } = await fresh();
    const stop = { Stop: { script: { inline: 'false' } } };
    await write(store, model('web'), type('Base'), type('Svc', { extends: 'Base', commands: START }), resource('a', { type: 'Svc' }));
    expect((await read('a')).types['base']).not.toHaveProperty('commands');
    await write(store, type('Base', { commands: stop }));
    const { types } = await read('a');
    expect([types['svc']?.commands, types['base']?.commands]).toMatchObject([START, stop]);
  });

  it('is not made anew for what nodes say of themselves, but for their signing keys', async () => {
    const { store, bundles } = await fresh();
    await write(store, model('web'), type('Svc'), resource('a', { type: 'Svc' }));
    const node = (load: number, signingKey: string) => write(store, { ...object('Node', 'node7', {}), status: { signingKey, load } });
    await node(1, 'a'.repeat(64));
    const first = await bundles.bundleOf('a');
    await node(2, 'a'.repeat(64));
    expect(await bundles.bundleOf('a')).toBe(first);
    await node(2, 'b'.repeat(64));
    expect(await bundles.bundleOf('a')).not.toBe(first);
  });

  it('tells of so many relatives and no more', async () => {
    const { store, read, bundles } = await fresh();
    await write(store, model('web'), type('Svc'), resource('top', { type: 'Svc' }));
    await write(store, ...Array.from({ length: 255 }, (_, index) => resource(`c${index}`, { type: 'Svc', parents: ['top'] })));
    expect((await read('top')).resources).toHaveLength(256);
    await write(store, resource('c255', { type: 'Svc', parents: ['top'] }));
    expect((await refusal(bundles.bundleOf('top'))).code).toBe('TOO_LARGE');
    expect((await read('c255')).resources.map(({ object: name }) => name)).toEqual(['c255', 'top']);
  });

  it('of a resource above itself is told once', async () => {
    const { store, read } = await fresh();
    await write(
      store,
      model('web'),
      type('Loop', { cycles: true }),
      resource('a', { type: 'Loop' }),
      resource('b', { type: 'Loop', parents: ['a'] }),
    );
    await write(store, resource('a', { type: 'Loop', parents: ['b'] }));
    expect((await read('a')).resources.map(({ object: name }) => name)).toEqual(['a', 'b']);
  });

  it('is there for whoever may read the resource', async () => {
    const { store, bundles, key } = await fresh();
    await write(store, model('web'), type('Svc'), resource('a', { type: 'Svc' }));
    const action = bundles.subresources.get('dtkd.dev/resources/bundle');
    expect(action?.verb).toBe('READ');
    const answer = await action?.({ principal: OPERATOR, name: 'a', method: 'GET', body: undefined });
    const bytes = Buffer.from(String(Reflect.get(Object(answer), 'bundle')), 'base64');
    expect(verifyBundle(bytes, key.publicKey).bundle.resources[0]?.object).toBe('a');
    expect((await refusal(Promise.resolve(action?.({ principal: OPERATOR, name: 'a', method: 'POST', body: {} })))).code).toBe(
      'METHOD_NOT_ALLOWED',
    );
  });
});
