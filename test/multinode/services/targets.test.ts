/** One unchanged assembly against two targets, and what a target with dependents refuses. */
import { beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../harness/ports.ts';
import { useStage } from '../../harness/use-stage.ts';
import { ok, openShop, page, type Shop, stageShop, stateOf, up } from './shop.ts';

const stage = useStage({ story: true });

describe('two targets', () => {
  let shop: Shop;
  const ports: Record<string, number> = {};

  beforeAll(async () => {
    shop = await openShop(stage.current, { names: ['node0', 'node1', 'node2'], tags: { node1: 'staging', node2: 'production' } });
    await ok(shop, 'module', 'install', shop.module);
    for (const name of ['staging', 'production']) {
      ports[name] = await freePort();
      await ok(
        shop,
        'stage',
        'acme/web:place',
        '--name',
        name,
        '--set',
        `nodes=tags=${name}`,
        '--set',
        `port=${ports[name]}`,
        '--set',
        `text=${name}`,
      );
    }
  });

  it('cannot be used before they are converged', async () => {
    await stageShop(shop, 'placed', 'shop-staging', '--target', 'staging');
    const { code, stdout, stderr } = await shop.ops.cli('converge', 'shop-staging', '--yes');
    expect({ code, text: `${stdout}${stderr}` }).toEqual({
      code: 25,
      text: expect.stringMatching(/TARGET_NOT_READY[^\n]*staging/),
    });
  });

  it('give two working services', async () => {
    for (const name of ['staging', 'production']) await ok(shop, 'converge', name, '--yes');
    await stageShop(shop, 'placed', 'shop-production', '--target', 'production');
    for (const name of ['staging', 'production']) await ok(shop, 'converge', `shop-${name}`, '--yes');
    expect(Object.keys(await up(shop))).toEqual(['shop-production.page@node2', 'shop-staging.page@node1']);
    for (const name of ['staging', 'production']) expect(await page(ports[name] ?? 0)).toBe(`${name} from none`);
  });

  it('are of the kind that is needed', async () => {
    const { code, stderr, stdout } = await shop.ops.cli('service', 'set', 'shop-staging', 'target=shop-production');
    const converged = await shop.ops.cli('converge', 'shop-staging', '--yes');
    expect(
      [code, converged.code].some((one) => one !== 0),
      `${stdout}${stderr}${converged.stdout}${converged.stderr}`,
    ).toBe(true);
    await ok(shop, 'service', 'rollback', 'shop-staging', 'HEAD', '--discard', '--yes');
  });

  it('are not deleted under those that use them', async () => {
    const { code, stdout, stderr } = await shop.ops.cli('service', 'delete', 'staging', '--yes');
    expect({ code, text: `${stdout}${stderr}` }).toEqual({ code: 6, text: expect.stringContaining('shop-staging') });
    expect(await page(ports['staging'] ?? 0)).toBe('staging from none');
  });

  it('go with those that use them where that is asked for', async () => {
    await ok(shop, 'service', 'uninstall', 'staging', '--recursive', '--yes');
    expect(await page(ports['staging'] ?? 0)).toBeUndefined();
    expect(await shop.home.get('serviceinstance', 'staging')).toBeUndefined();
    expect(await shop.home.get('serviceinstance', 'shop-staging')).toBeUndefined();
    expect(await page(ports['production'] ?? 0)).toBe('production from none');
    await ok(shop, 'service', 'uninstall', 'production', '--recursive', '--yes');
    expect((await shop.home.list('serviceinstances')).length).toBe(0);
  });

  it('leave nothing behind', async () => {
    expect(await up(shop)).toEqual({});
    await expect(stateOf(shop, 'shop-production')).rejects.toMatchObject({ status: 404 });
  });
});
