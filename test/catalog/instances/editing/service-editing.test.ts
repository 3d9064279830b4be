import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ServiceEdit } from '../../../../protocol/requests/service.ts';
import { type ShopBench, shopBench } from '../files/bench.ts';

let shop: ShopBench;
beforeEach(async () => {
  shop = await shopBench();
});
afterEach(() => shop.close());

const edit = (...edits: ServiceEdit[]) => shop.files.edit('shop', edits);
const set = (path: string, value: unknown) => edit({ op: 'set', path, value });
const service = async () => (await shop.files.working('shop')).files?.service;
const text = () => shop.text('dtk.service.yaml');

describe('dtk.service.yaml', () => {
  it('is given with what can be set in it', async () => {
    const { content, base, types } = await shop.files.content('shop');
    expect(content).toBe(await text());
    expect(base).toMatch(/^[0-9a-f]{64}$/);
    expect(types).toMatchObject({
      'parameters.tier': 'string',
      'parameters.key': 'secret',
      'web.port': 'port',
      'web.password': 'secret',
      'web.basedir': 'string',
      'db.startup-rank': 'integer',
    });
  });

  it('is given without what may be a secret to who only reads it', async () => {
    const secret = 'Tr0ub4dor&3';
    await shop.replace('dtk.service.yaml', 'password: web.password', `password: "${secret}"`);
    expect((await shop.files.content('shop')).content).toContain(secret);
    const { content } = await shop.files.content('shop', { masked: true });
    expect(content).toBe((await text()).replace(`"${secret}"`, '(secret)'));
    // nor where the copy is broken that says what is one
    await shop.put('modules/acme/web/dtk.module.yaml', 'module: [');
    await shop.replace('dtk.service.yaml', 'components:', `components:\n  new: { type: WebServer, properties: { password: "${secret}" } }`);
    expect((await shop.files.content('shop', { masked: true })).content).not.toContain(secret);
    expect(JSON.stringify(await shop.files.diff('shop', 'HEAD'))).not.toContain(secret);
    await shop.replace('dtk.service.yaml', 'components:', 'components: [');
    await expect(shop.files.content('shop', { masked: true })).rejects.toMatchObject({
      code: 'INVALID',
      message: expect.not.stringContaining(secret),
    });
  });

  it('is replaced as a whole, on top of what was read', async () => {
    const { content, base } = await shop.files.content('shop');
    const { base: next, differences } = await shop.files.replace('shop', content.replace('8080', '8085'), base);
    expect(differences).toEqual([{ kind: 'property', what: 'web.port', op: 'changed', before: 8080, after: 8085 }]);
    await expect(shop.files.replace('shop', content, base)).rejects.toMatchObject({ code: 'CONFLICT' });
    const broken = shop.files.replace('shop', content.replace('components:', 'components: ['), next);
    await expect(broken).rejects.toMatchObject({ code: 'INVALID', message: expect.stringMatching(/^dtk\.service\.yaml:\d+:\d+: /) });
    await expect(shop.files.replace('shop', content.replace('name: shop', 'name: x'), next)).rejects.toMatchObject({ code: 'INVALID' });
    const secret = await shop.files.replace('shop', content.replace('web.password', 'Pass Word'), next).catch((error: unknown) => error);
    expect(secret).toMatchObject({ code: 'INVALID' });
    expect(JSON.stringify(secret) + String(secret)).not.toContain('Pass Word');
    expect((await shop.files.content('shop')).base).toBe(next);
  });

  it('is edited in one place, with the comments', async () => {
    const before = await text();
    const { differences } = await set('web.port', 8081);
    expect(await text()).toBe(before.replace('8080', '8081'));
    expect(differences).toEqual([{ kind: 'property', what: 'web.port', op: 'changed', before: 8080, after: 8081 }]);
    expect((await set('web.port', '8081')).differences).toEqual([]);
    await set('tier', 'back');
    await set('parameters.size', '3');
    await set('target', 'prod');
    await set('web.properties.tags', '["a"]');
    expect(await service()).toMatchObject({
      target: 'prod',
      parameters: { tier: 'back', size: 3 },
      components: { web: { properties: { port: 8081, tags: ['a'] } } },
    });
    await edit(
      { op: 'unset', path: 'tier' },
      { op: 'unset', path: 'size' },
      { op: 'unset', path: 'target' },
      { op: 'unset', path: 'web.tags' },
    );
    expect(await text()).toBe(before.replace('8080', '8081'));
  });

  it('says where components are placed', async () => {
    const at = async () => (await service())?.components?.['web']?.on;
    await set('web.count', 3);
    expect(await at()).toEqual({ count: 3 });
    await set('web.on', 'tags=web');
    expect(await at()).toEqual({ count: 3, nodes: 'tags=web' });
    await edit({ op: 'unset', path: 'web.count' });
    await edit({ op: 'unset', path: 'web.on' });
    expect(await at()).toBeUndefined();
    await set('web.on', 'tags=web');
    expect(await at()).toBe('tags=web');
    await set('web.count', 'all');
    expect(await at()).toEqual({ count: 'all', nodes: 'tags=web' });
    await set('web.except', 'node3');
    expect(await at()).toEqual({ count: 'all', nodes: 'tags=web', except: 'node3' });
  });

  it('has components and links put in and taken out', async () => {
    const before = await text();
    await edit(
      { op: 'add-component', name: 'cache', type: 'WebServer', properties: { port: '81' }, on: 'tags=web', count: 2 },
      { op: 'add-link', component: 'cache', link: 'db', to: 'db' },
      { op: 'add-link', component: 'cache', link: 'base', to: 'target', take: { port: 'p' } },
    );
    expect((await service())?.components?.['cache']).toEqual({
      type: 'WebServer',
      properties: { port: 81 },
      on: { nodes: 'tags=web', count: 2 },
      links: { db: 'db', base: { to: 'target', take: { port: 'p' } } },
    });
    await edit({ op: 'rm-link', component: 'cache', link: 'base' });
    await expect(edit({ op: 'rm-component', name: 'db' })).rejects.toMatchObject({
      code: 'CONFLICT',
      details: { uses: ['web.links.db', 'cache.links.db'] },
    });
    await edit({ op: 'rm-component', name: 'cache' });
    expect(await text()).toBe(before);
  });

  it('is left alone where an edit cannot be meant, all of them or none', async () => {
    const before = await text();
    const refused: [ServiceEdit, string, RegExp][] = [
      [{ op: 'set', path: 'wep.port', value: 1 }, 'NOT_FOUND', /Did you mean web.port/],
      [{ op: 'set', path: 'teir', value: 1 }, 'NOT_FOUND', /Did you mean tier/],
      [{ op: 'set', path: 'web', value: 1 }, 'INVALID', /is a component/],
      [{ op: 'set', path: 'web.port', value: 'many' }, 'INVALID', /expected a port/],
      [{ op: 'set', path: 'tier', value: 'middle' }, 'INVALID', /expected one of/],
      [{ op: 'set', path: 'target', value: 'No Name' }, 'INVALID', /target: must be a name/],
      [{ op: 'set', path: 'target', value: 'shop' }, 'INVALID', /cannot be its own target/],
      [{ op: 'set', path: 'web.count', value: -1 }, 'INVALID', /components.web.on/],
      [{ op: 'unset', path: 'web.type' }, 'INVALID', /every component has a type/],
      [{ op: 'add-component', name: 'web', type: 'WebServer' }, 'ALREADY_EXISTS', /a component web already/],
      [{ op: 'add-component', name: 'x', type: 'Webserver2' }, 'NOT_FOUND', /Did you mean WebServer/],
      [{ op: 'rm-component', name: 'x' }, 'NOT_FOUND', /no component x/],
      [{ op: 'add-link', component: 'web', link: 'db', to: 'target' }, 'ALREADY_EXISTS', /to db/],
      [{ op: 'add-link', component: 'web', link: 'x', to: 'dbb' }, 'NOT_FOUND', /Did you mean db/],
      [{ op: 'add-link', component: 'web', link: 'x', to: 'A/B' }, 'INVALID', /SERVICE\/COMPONENT/],
      [{ op: 'rm-link', component: 'web', link: 'bd' }, 'NOT_FOUND', /Did you mean db/],
    ];
    for (const [one, code, words] of refused) {
      const error = await edit({ op: 'set', path: 'web.port', value: 99 }, one).catch((caught: unknown) => caught);
      expect(error, JSON.stringify(one)).toMatchObject({ code });
      expect(`${error} ${Reflect.get(Object(error), 'next')}`).toMatch(words);
    }
    expect(await text()).toBe(before);
  });

  it('never has a secret where its name belongs, nor is it repeated', async () => {
    const secret = 'Correct Horse!';
    for (const path of ['web.password', 'parameters.key', 'key']) {
      const error = await set(path, secret).catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code: 'INVALID' });
      expect(JSON.stringify(error) + String(error) + Reflect.get(Object(error), 'next')).not.toContain(secret);
    }
    const added = edit({ op: 'add-component', name: 'x', type: 'WebServer', properties: { password: secret } });
    await expect(added).rejects.toMatchObject({ code: 'INVALID', message: expect.not.stringContaining(secret) });
    expect(await text()).not.toContain(secret);
    expect((await set('web.password', 'shop.web.password')).differences).toEqual([
      { kind: 'property', what: 'web.password', op: 'changed' },
    ]);
  });

  it('is not written over by two at once', async () => {
    const { base } = await shop.files.content('shop');
    const ports = [1, 2];
    const both = await Promise.allSettled(ports.map((value) => shop.files.edit('shop', [{ op: 'set', path: 'web.port', value }], base)));
    // Which of the two comes first is open.
    const first = both.findIndex(({ status }) => status === 'fulfilled');
    expect(both[1 - first]).toMatchObject({ status: 'rejected', reason: { code: 'CONFLICT' } });
    expect((await service())?.components?.['web']?.properties).toMatchObject({ port: ports[first] });
    // without a base they come one after the other
    await Promise.all([set('web.port', 3), set('web.greeting', 'Hi')]);
    expect((await service())?.components?.['web']?.properties).toMatchObject({ port: 3, greeting: 'Hi' });
  });
});
