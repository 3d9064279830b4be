import { expect, it } from 'vitest';
import { IDLE_SINK } from '../../../daemon/src/apps/channel/channel.ts';
import { StreamChannel } from '../../../daemon/src/apps/channel/stream-channel.ts';
import { OriginPool } from '../../../daemon/src/apps/http/origin-pool.ts';
import { waitFor } from '../../wait.ts';
import { streamPair } from '../memory-mesh.ts';

/** The near end of a connection whose far end takes everything and never ends. */
function channel(): StreamChannel {
  const [here, there] = streamPair();
  const far = new StreamChannel(there);
  far.attach(IDLE_SINK);
  far.resume();
  return new StreamChannel(here);
}

it('counts a connection from when it is asked for, so that nobody takes its pool for an empty one meanwhile', async () => {
  const { promise, resolve } = Promise.withResolvers<StreamChannel>();
  const pool = new OriginPool(
    () => promise,
    () => 0,
  );
  const dialled = pool.dial();
  expect(pool.size).toBe(1);
  resolve(channel());
  await dialled;
  expect(pool.size).toBe(1);
  pool.close();
  await waitFor(() => pool.size === 0, { what: 'the connection to go' });
});

it('uses nothing again that was asked for before what is behind it changed, and cuts off what does not close', async () => {
  let now = 0;
  const pool = new OriginPool(
    async () => channel(),
    () => now,
  );
  const [idle, busy] = [await pool.dial(), await pool.dial()];
  pool.giveBack(idle);
  const late = pool.dial();
  pool.renew();
  pool.giveBack(busy);
  pool.giveBack(await late);
  expect(pool.take()).toBeUndefined();
  const fresh = await pool.dial();
  pool.giveBack(fresh);
  expect(pool.take()).toBe(fresh);
  now = 60_000;
  pool.sweep();
  await waitFor(() => pool.size === 1, { what: 'the old connections to go' });
  pool.close();
});
