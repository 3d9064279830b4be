/** Orders whose bundle is too large to come along: it is fetched where that is possible. */
import { afterEach, describe, expect, it } from 'vitest';
import { DtkdError } from '../../../protocol/errors.ts';
import { bundleOf, commandWork, from, orderOf, outputOf, shell, type World, world } from './world.ts';

let site: World;
afterEach(() => site.close());

const SHOW = { Show: { script: { inline: 'echo shown' } } };
const away = () => Promise.reject(new DtkdError('PEER_AWAY', 'the starter is away'));

describe('a bundle that did not come along', () => {
  it('is fetched once', async () => {
    site = await world();
    const { bytes, code } = bundleOf({ commands: SHOW });
    const order = orderOf({ work: commandWork('Show', code) });
    let fetched = 0;
    const fetchBundle = async () => {
      fetched += 1;
      return bytes;
    };
    const part = await site.target.accept(from(site), { order: order.bytes, fetchBundle });
    expect(await outputOf(part)).toMatchObject({ out: 'shown\n' });
    await site.target.accept(from(site), { order: order.bytes, fetchBundle });
    expect(fetched).toBe(1);
  });

  it('leaves the order undecided while it cannot be had, unless one is installed', async () => {
    site = await world();
    const { bytes, code } = bundleOf({ commands: SHOW });
    const order = orderOf({ work: commandWork('Show', code) });
    const accept = (fetchBundle: () => Promise<Uint8Array>) => site.target.accept(from(site), { order: order.bytes, fetchBundle });
    await expect(accept(away)).rejects.toMatchObject({ code: 'PEER_AWAY' });
    expect(site.audited).toEqual([]);
    expect(site.target.counts().known).toBe(0);
    expect(await (await accept(async () => bytes)).ended).toMatchObject({ outcome: 'succeeded' });
    const next = orderOf({ work: commandWork('Show', code) });
    const part = await site.target.accept(from(site), { order: next.bytes, fetchBundle: away });
    expect(await part.ended).toMatchObject({ outcome: 'succeeded' });
  });

  it('is verified as one that did', async () => {
    site = await world();
    const { code } = bundleOf({ commands: SHOW });
    const other = bundleOf({ commands: SHOW, resource: { object: 'shop.service.other' } }).bytes;
    const order = orderOf({ work: commandWork('Show', code) });
    const part = await site.target.accept(from(site), { order: order.bytes, fetchBundle: async () => other });
    expect(part.part()).toMatchObject({ outcome: 'refused', code: 'ORDER_INVALID' });
  });

  it('is not asked for where there is nothing to know of', async () => {
    site = await world();
    const part = await site.target.accept(from(site), { order: orderOf({ work: shell('true') }).bytes, fetchBundle: away });
    expect(await part.ended).toMatchObject({ outcome: 'succeeded' });
    site.node.spec = { maintenance: {} };
    const { code } = bundleOf({ commands: SHOW });
    const skipped = await site.target.accept(from(site), { order: orderOf({ work: commandWork('Show', code) }).bytes, fetchBundle: away });
    expect(skipped.part()).toMatchObject({ outcome: 'skipped' });
  });
});
