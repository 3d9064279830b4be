/**
 * A daemon that is killed while it converges, at every step and at whatever moment between two: converging again comes to the same end as if nothing had
 * happened. What ended well is not run again; what was interrupted is, which is why commands have to be idempotent.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { useStage } from '../../harness/use-stage.ts';
import { waitFor } from '../../wait.ts';
import { ok, openShop, ran, type Shop, stageShop, stateOf, up } from './shop.ts';

const stage = useStage({ story: true });
const SERVICE = 'chain';
/** One after the other, so that each is a step of its own. */
const STORES = ['a', 'b', 'c', 'd'];
/** How long after the beginning, in milliseconds: beside each step. */
const MOMENTS = [0, 5, 15, 30, 60, 90, 120, 160, 200, 260, 330, 420];

describe('a converge that is killed', () => {
  let shop: Shop;
  let tasks = 0;

  beforeAll(async () => {
    shop = await openShop(stage.current, { names: ['node0', 'node1'], tags: { node0: 'store', node1: 'web' } });
    await ok(shop, 'module', 'install', shop.module);
    await stageShop(shop, 'one', SERVICE, '--set', 'port=1');
    await ok(shop, 'service', 'rm-component', SERVICE, 'page');
    for (const [at, name] of STORES.entries()) {
      const on = at % 2 === 0 ? 'tags=store' : 'tags=web';
      await ok(shop, 'service', 'add-component', SERVICE, name, '--type', 'Store', '--set', `dir=${shop.left}`, '--on', on);
      const before = STORES[at - 1];
      // each takes its text from the one before
      if (before !== undefined) await ok(shop, 'service', 'add-link', SERVICE, name, 'chain', before, '--take', 'text=text');
    }
  });

  function expected(text: string | undefined): Record<string, string> {
    if (text === undefined) return {};
    return Object.fromEntries(STORES.map((name, at) => [`${SERVICE}.${name}@${at % 2 === 0 ? 'node0' : 'node1'}`, text]));
  }

  /** Through the API: the command line would wait for the daemon to come back. */
  function ask(what: 'converge' | 'delete'): Promise<unknown> {
    return shop.ops.call(shop.home.path('serviceinstance', SERVICE, { sub: what }), { method: 'POST', body: {} });
  }

  /** A task was made since the last look. */
  async function hasBegun(): Promise<boolean> {
    const count = (await shop.home.list('tasks')).length;
    return count > tasks;
  }

  /** Starts a converge, kills the daemon as soon as `when` says so, restarts it and converges to the end. */
  async function undisturbed(
    work: () => Promise<unknown>,
    when: () => Promise<boolean>,
    text: string | undefined,
    what: string,
  ): Promise<void> {
    tasks = (await shop.home.list('tasks')).length;
    const begun = work().catch(() => undefined);
    await waitFor(when, { what, pollMs: 5 });
    await shop.home.kill9();
    await begun;
    await shop.home.start();
    await ok(shop, ...(text === undefined ? ['service', 'delete', SERVICE, '--yes'] : ['converge', SERVICE, '--yes']));
    expect(await up(shop), what).toEqual(expected(text));
    const state = await stateOf(shop, SERVICE);
    expect(state.phase, what).toBe(text === undefined ? 'Deleted' : 'Ready');
    expect(
      state.resources.map(({ state: one }) => one),
      what,
    ).toEqual(STORES.map(() => (text === undefined ? 'new' : 'applied')));
    const before = (await ran(shop)).length;
    if (text !== undefined) await ok(shop, 'converge', SERVICE, '--yes');
    expect((await ran(shop)).length, what).toBe(before);
  }

  it('after each of its steps', async () => {
    for (let step = 0; step <= STORES.length; step += 1) {
      const text = `step ${step}`;
      await ok(shop, 'service', 'set', SERVICE, `a.text=${text}`);
      const before = (await ran(shop)).length;
      await undisturbed(
        () => ask('converge'),
        async () => (await ran(shop)).length >= before + step && (step > 0 || (await hasBegun())),
        text,
        `killed after step ${step}`,
      );
      const lines = (await ran(shop)).slice(before).map((line) => line.split(' ')[1] ?? '');
      // what was running when it was killed may have been run again, and nothing else
      expect(lines.length, lines.join(' ')).toBeLessThanOrEqual(STORES.length + 1);
      expect([...new Set(lines)]).toEqual(STORES);
    }
  });

  it('at any moment', async () => {
    for (const moment of MOMENTS) {
      const text = `moment ${moment}`;
      await ok(shop, 'service', 'set', SERVICE, `a.text=${text}`);
      let since: number | undefined;
      await undisturbed(
        () => ask('converge'),
        async () => {
          if (await hasBegun()) since ??= Date.now();
          return since !== undefined && Date.now() - since >= moment;
        },
        text,
        `killed ${moment} ms after it began`,
      );
    }
  });

  it('while it takes everything away, and brings it up anew', async () => {
    for (let step = 1; step < STORES.length; step += 1) {
      const down = (await ran(shop)).length;
      await undisturbed(
        () => ask('delete'),
        async () => (await ran(shop)).length >= down + step,
        undefined,
        `killed after ${step} deletions`,
      );
      const before = (await ran(shop)).length;
      await ok(shop, 'service', 'set', SERVICE, `a.text=again ${step}`);
      await undisturbed(
        () => ask('converge'),
        async () => (await ran(shop)).length >= before + step,
        `again ${step}`,
        `killed after ${step} creations`,
      );
    }
  });
});
