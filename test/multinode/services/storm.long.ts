/**
 * Several people at one service, by the API, by git and by hand, while daemons are killed: whatever came of it, once it is calm a converge comes to its end, what is
 * told is what is there, a second one runs nothing, and nothing is left behind. Seeds are fixed; which of two comes first is not.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run } from '../../harness/child.ts';
import { connected } from '../../harness/domain.ts';
import { findProgram } from '../../harness/programs.ts';
import { randomFrom } from '../../harness/random.ts';
import { ApiFailure } from '../../harness/site.ts';
import { useStage } from '../../harness/use-stage.ts';
import { waitFor } from '../../wait.ts';
import { DOMAIN } from '../dispatch/field.ts';
import { ok, openShop, ran, type Shop, stageShop, stateOf, up } from './shop.ts';

const stage = useStage({ story: true });
const SERVICE = 'storm';
const SEEDS = [1, 2];
const WORKERS = 4;
/** Of each. */
const WORKS = 60;
const git = findProgram('git');

type Random = (below: number) => number;

describe.skipIf(git === undefined)('a service in a storm', () => {
  let shop: Shop;
  let directory = '';
  let hand = Promise.resolve();
  /** Things that were tried. */
  let done = 0;
  /** Until the last one that was killed is there again. */
  let back: Promise<unknown> | undefined;

  /** Any answer is fine except a fault of the daemon. No answer is fine, too: it may be dead. */
  async function ask(sub: string, body: unknown = {}): Promise<void> {
    try {
      await shop.ops.call(shop.home.path('serviceinstance', SERVICE, { sub }), { method: 'POST', body });
    } catch (error) {
      if (error instanceof ApiFailure && error.status >= 500 && error.status !== 503) throw error;
    }
  }

  const edit = (one: Record<string, unknown>) => ask('edit', { edits: [one] });

  /** One hand: what one is writing the other would read as half of it. */
  function byHand(path: string, change: (text: string) => string): Promise<void> {
    const file = join(directory, path);
    const mine = hand.then(async () => writeFile(file, change(await readFile(file, 'utf8'))));
    hand = mine.catch(() => undefined);
    return mine;
  }

  async function inGit(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await run({
      command: git ?? 'git',
      args: ['-C', directory, '-c', 'user.name=me', '-c', 'user.email=me@example.net', ...args],
    });
    return code === 0 ? stdout : `${code}: ${stdout}${stderr}`;
  }

  const word = (random: Random) => `w${random(1_000)}`;
  const works: readonly ((random: Random) => Promise<unknown>)[] = [
    (random) => edit({ op: 'set', path: `${'ab'[random(2)]}.text`, value: word(random) }),
    (random) => edit({ op: 'set', path: `${'ab'[random(2)]}.on`, value: ['tags=store', 'tags=web'][random(2)] }),
    () => edit({ op: 'add-component', name: 'c', type: 'Store', properties: { dir: shop.left }, on: 'tags=web' }),
    () => edit({ op: 'rm-component', name: 'c' }),
    () => ask('converge', { keepGoing: true }),
    () => ask('converge'),
    (random) => ask('rollback', { to: `HEAD~${random(3)}`, discard: true }),
    () => ask('delete'),
    async () => {
      const [task] = (await shop.home.list('tasks')).filter(({ status }) => Object(status).state === 'executing');
      if (task !== undefined)
        await shop.home.api(shop.home.path('task', task.metadata.name, { sub: 'cancel' }), { method: 'POST', body: {} });
    },
    // renames the type of its stores, which then are of one that is gone
    async () => {
      const rename = (text: string) => text.replaceAll(/\b(Store|Shelf)\b/g, (name) => (name === 'Store' ? 'Shelf' : 'Store'));
      await byHand('modules/acme/web/dtk.module.yaml', rename);
      await byHand('dtk.service.yaml', rename);
    },
    async (random) => {
      await byHand('dtk.service.yaml', (text) => `${text}# ${word(random)}\n`);
      await inGit('commit', '-q', '-a', '-m', word(random));
    },
  ];

  async function worker(random: Random): Promise<void> {
    for (let count = 0; count < WORKS; count += 1) {
      await back;
      // what is asked of a daemon that dies, or of files that somebody else replaces, comes to nothing
      await works[random(works.length)]?.(random).catch((error: unknown) => {
        if (error instanceof ApiFailure && error.status >= 500) throw error;
      });
      done += 1;
    }
  }

  async function killer(random: Random): Promise<void> {
    const all = done + WORKS * WORKERS;
    for (let next = done + random(30); next < all; next = done + 10 + random(40)) {
      await waitFor(() => done >= next, { what: 'the next killing', pollMs: 1 });
      const victim = shop.sites[random(shop.sites.length)];
      const again = victim?.kill9().then(() => victim.start());
      back = again;
      await again;
    }
  }

  /** What is in the files at last: something sound, whatever they came to. */
  async function mend(): Promise<void> {
    await byHand('modules/acme/web/dtk.module.yaml', (text) => text.replaceAll(/\bShelf\b/g, 'Store'));
    await byHand('dtk.service.yaml', (text) => text.replaceAll(/\bShelf\b/g, 'Store'));
  }

  it.each(SEEDS)('comes to what it should be: seed %i', async (seed) => {
    if (directory === '') {
      shop = await openShop(stage.current, { names: ['node0', 'node1'], tags: { node0: 'store', node1: 'web' } });
      await ok(shop, 'module', 'install', shop.module);
      await stageShop(shop, 'one', SERVICE, '--set', 'port=1');
      await ok(shop, 'service', 'rm-component', SERVICE, 'page');
      for (const [name, on] of [
        ['a', 'store'],
        ['b', 'web'],
      ] as const)
        await ok(shop, 'service', 'add-component', SERVICE, name, '--type', 'Store', '--set', `dir=${shop.left}`, '--on', `tags=${on}`);
      directory = (await stateOf(shop, SERVICE)).directory;
    }
    const storm = Array.from({ length: WORKERS }, (_, at) => worker(randomFrom(seed * 100 + at)));
    await Promise.all([...storm, killer(randomFrom(seed))]);

    for (const site of shop.sites) await connected(site, DOMAIN, shop.sites);
    await waitFor(async () => (await shop.home.list('tasks')).every(({ status }) => Object(status).state !== 'executing'), {
      what: 'all tasks to end',
    });
    await mend();
    await ok(shop, 'converge', SERVICE, '--yes');
    const before = await ran(shop);
    await ok(shop, 'converge', SERVICE, '--yes');
    expect(await ran(shop)).toEqual(before);

    const state = await stateOf(shop, SERVICE);
    expect(state).toMatchObject({ phase: 'Ready', edited: [], pending: [], violations: [], applied: state.head });
    expect(state.resources.filter((one) => one.state !== 'applied')).toEqual([]);
    const placed = state.resources.map(({ name, node }) => `${SERVICE}.${name}@${node}`);
    expect(Object.keys(await up(shop)).sort()).toEqual(placed.sort());
    expect(await inGit('fsck', '--full', '--strict', '--no-dangling')).toBe('');
    expect(await inGit('log', '--merges', '--oneline')).toBe('');
    expect(await inGit('status', '--porcelain')).toBe('');
    expect(await inGit('rev-parse', 'HEAD', 'applied')).toBe(`${state.head}\n${state.head}\n`);
    expect((await readdir(join(directory, '.git'), { recursive: true })).filter((path) => path.endsWith('.lock'))).toEqual([]);
    for (const site of shop.sites) {
      const runs = join(site.dir, 'dispatch/runs');
      await waitFor(async () => (await readdir(runs).catch(() => [])).length === 0, {
        what: `run directories of ${site.name} to be removed`,
      });
    }
  });
});
