import { cp, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createRepositories } from '../../../../daemon/src/catalog/instances/repository/repositories.ts';
import { type Bench, bench, by, bytes, filesIn, git, gitVersion, someFiles } from './bench.ts';

/** A process that dies: from the step on that is named, nothing that it asks of the file system happens, nor is answered. */
const death = vi.hoisted(() => ({ after: Number.POSITIVE_INFINITY, steps: 0, died: () => {} }));

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const mortal = <A extends unknown[], R>(work: (...args: A) => Promise<R>) => {
    return async (...args: A): Promise<R> => {
      death.steps += 1;
      if (death.steps <= death.after) return work(...args);
      death.died();
      return new Promise<R>(() => {});
    };
  };
  const steps = ['rename', 'rm', 'rmdir', 'mkdir', 'chmod', 'open'] as const;
  return { ...real, ...Object.fromEntries(steps.map((name) => [name, mortal(real[name] as (...args: unknown[]) => Promise<unknown>)])) };
});

const version = await gitVersion();

let made: Bench;
beforeEach(async () => {
  made = await bench();
});
afterEach(async () => {
  death.after = Number.POSITIVE_INFINITY;
  await made.close();
});

/** Resolves when the work is done (true) or the process has died. */
async function until(step: number, work: () => Promise<unknown>): Promise<boolean> {
  const died = new Promise<boolean>((resolve) => {
    death.died = () => resolve(false);
  });
  death.steps = 0;
  death.after = step;
  const ended = await Promise.race([work().then(() => true), died]);
  death.after = Number.POSITIVE_INFINITY;
  return ended;
}

/** As a restarted daemon finds them. */
const again = () => createRepositories({ directory: join(made.root, 'instances'), now: made.now });

/** Of the states that are left, git looks at one of so many: it takes longer than all the rest. */
const EVERY = 6;
let looks = 0;

async function expectUsable(directory: string): Promise<void> {
  const repository = await again().open('shop');
  await repository.commit(by('What was left'));
  expect((await repository.status()).changes).toEqual([]);
  expect((await readdir(join(directory, '.git'), { recursive: true })).filter((path) => /tmp_obj_|dtkd-/.test(path))).toEqual([]);
  looks += 1;
  if (version === undefined || looks % EVERY !== 0) return;
  expect(await git(directory, 'status', '--porcelain')).toBe('');
  expect(await git(directory, 'fsck', '--strict', '--no-dangling')).toBe('');
}

/** Each step of a piece of work in turn; not more than such a piece has. */
const MAX_DEATHS = 200;
async function dieAtEachStep(prepare: () => Promise<unknown>, work: () => Promise<unknown>, look: () => Promise<unknown>): Promise<number> {
  for (let step = 0; step < MAX_DEATHS; step++) {
    await prepare();
    const ended = await until(step, work);
    await look();
    if (ended) return step;
    await again().drop('shop');
  }
  throw new Error('it never ends');
}

describe('a process that dies at any step', () => {
  it('of making a repository leaves all of it or nothing', async () => {
    let there = 0;
    const steps = await dieAtEachStep(
      async () => undefined,
      () => again().create('shop', someFiles, by('Stage')),
      async () => {
        const repositories = again();
        await repositories.tidy();
        const names = await repositories.names();
        if (names.length === 0) return;
        there += 1;
        await expectUsable(repositories.directory('shop'));
        expect(Object.keys(await filesIn(repositories.directory('shop')))).toHaveLength(someFiles.length);
      },
    );
    expect(steps).toBeGreaterThan(10);
    expect(there).toBeGreaterThan(0);
  });

  it('of committing leaves the edits, committed or not', async () => {
    const directory = join(made.root, 'instances/shop');
    await again().create('shop', someFiles, by('Stage'));
    await writeFile(join(directory, 'dtk.service.yaml'), 'name: edited\n');
    await writeFile(join(directory, 'modules/acme/web/new'), 'new');
    await cp(directory, join(made.root, 'prepared'), { recursive: true });
    await again().drop('shop');
    await dieAtEachStep(
      () => cp(join(made.root, 'prepared'), directory, { recursive: true }),
      async () => (await again().open('shop')).commit(by('Edit')),
      async () => {
        await expectUsable(directory);
        const repository = await again().open('shop');
        expect((await repository.log()).map(({ message }) => message)).toEqual([expect.stringMatching(/Edit|What was left/), 'Stage']);
        expect(await filesIn(directory)).toMatchObject({ 'dtk.service.yaml': 'name: edited\n', 'modules/acme/web/new': 'new' });
      },
    );
  });

  it('of going back leaves the state before or that after, and nothing between', async () => {
    const directory = join(made.root, 'instances/shop');
    const seen = new Set<string>();
    await again().create('shop', someFiles, by('Stage'));
    await (await again().open('shop')).commitFiles(
      [
        { path: 'dtk.service.yaml', data: bytes('name: edited\n') },
        { path: 'modules/acme/web/bin/start', data: undefined },
        { path: 'modules/acme/db/x', data: bytes('x') },
      ],
      by('Edit'),
    );
    await cp(directory, join(made.root, 'prepared'), { recursive: true });
    await again().drop('shop');
    await dieAtEachStep(
      () => cp(join(made.root, 'prepared'), directory, { recursive: true }),
      async () => (await again().open('shop')).restore('HEAD~1', by('Go back')),
      async () => {
        const repository = await again().open('shop');
        expect((await repository.status()).changes).toEqual([]);
        const [last] = await repository.log();
        const files = await filesIn(directory);
        seen.add(String(last?.message));
        if (last?.message === 'Edit') expect(files).toMatchObject({ 'dtk.service.yaml': 'name: edited\n', 'modules/acme/db/x': 'x' });
        else expect(Object.keys(files).sort()).toEqual(someFiles.map(({ path }) => path).sort());
        await expectUsable(directory);
      },
    );
    expect([...seen].sort()).toEqual(['Edit', 'Go back']);
  });
});
