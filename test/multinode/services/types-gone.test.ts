/** A service whose copy of a module no longer defines a type, although a resource of it remains at another site, which only follows its code forward. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { freePort } from '../../harness/ports.ts';
import { useStage } from '../../harness/use-stage.ts';
import { ok, openShop, page, stageShop, stateOf, up } from './shop.ts';

const stage = useStage();

describe('a type that is gone', () => {
  it('takes down what is of it yet, also where newer code of the service has run', async () => {
    const shop = await openShop(stage.current, { names: ['node0', 'node1'], tags: { node1: 'web' } });
    const port = await freePort();
    await ok(shop, 'module', 'install', shop.module);
    await stageShop(shop, 'one', 'shop', '--set', `port=${port}`);
    await ok(shop, 'service', 'set', 'shop', 'page.on=tags=web');
    await ok(shop, 'service', 'add-component', 'shop', 'shelf', '--type', 'Store', '--set', `dir=${shop.left}`, '--on', 'tags=web');
    await ok(shop, 'converge', 'shop', '--yes');
    expect(Object.keys(await up(shop))).toEqual(['shop.page@node1', 'shop.shelf@node1']);

    const manifest = join((await stateOf(shop, 'shop')).directory, 'modules/acme/web/dtk.module.yaml');
    await writeFile(manifest, (await readFile(manifest, 'utf8')).replaceAll(/\bStore\b/g, 'Shelf'));
    await ok(shop, 'service', 'set', 'shop', 'text=newer');
    await ok(shop, 'service', 'rm-component', 'shop', 'shelf');
    await ok(shop, 'converge', 'shop', '--yes');
    expect(Object.keys(await up(shop))).toEqual(['shop.page@node1']);
    expect(await page(port)).toBe('newer from none');
    expect((await stateOf(shop, 'shop')).phase).toBe('Ready');
  });
});
