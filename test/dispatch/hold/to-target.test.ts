import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { acceptHeld } from '../../../daemon/src/dispatch/hold/to-target.ts';
import { MAX_TAKEN_BYTES_PER_STARTER } from '../../../daemon/src/dispatch/target/limits.ts';
import { exec, from, orderOf, shell, starter, USER, type World, world } from '../target/world.ts';

const LARGE = 'x'.repeat(120_000);

let site: World;
beforeEach(async () => {
  site = await world({ policy: { trust: [], limits: { concurrency: 1 } } });
});
afterEach(() => site.close());

describe('an order that was held', () => {
  const bring = (order: Uint8Array) => {
    const content = { bytes: () => Promise.reject(new Error('no content here')) };
    return acceptHeld(site.target, content)({ member: starter(site), user: USER }, { order }, new AbortController().signal);
  };

  it('is taken, also if it is refused for good', async () => {
    const order = orderOf({ work: shell('true') });
    await bring(order.bytes);
    expect(await (await site.target.known(order.id, 0))?.ended).toMatchObject({ outcome: 'succeeded' });
    const late = orderOf({ work: shell('true'), header: { createdAt: 1_000, notBefore: 1_000, notAfter: 2_000 } });
    await bring(late.bytes);
    expect((await site.target.known(late.id, 0))?.part()).toMatchObject({ outcome: 'refused', code: 'ORDER_EXPIRED' });
  });

  it('is brought again where too much waits: nothing of it is kept', async () => {
    await site.target.accept(from(site), { order: orderOf({ work: shell('sleep 60') }).bytes });
    for (let bytes = 0; bytes < MAX_TAKEN_BYTES_PER_STARTER; bytes += 2 * LARGE.length) {
      await site.target.accept(from(site), { order: orderOf({ work: exec('/bin/echo', LARGE, LARGE) }).bytes });
    }
    const order = orderOf({ work: exec('/bin/echo', LARGE, LARGE) });
    await expect(bring(order.bytes)).rejects.toMatchObject({ code: 'TOO_MANY_REQUESTS' });
    expect(await site.target.known(order.id, 0)).toBeUndefined();
  });
});
