import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/**
 * These limits only end what would never end: a machine may be many times slower than the one on which a test was written. Whatever waits
 * says itself what it has waited for, before.
 */
const patience = (ms: number) => ({ testTimeout: ms, hookTimeout: ms });

/** Long stories run after all others and one file at a time: some of them need the whole machine. */
const oneAtATime = { fileParallelism: false, ...patience(1_800_000) };

/** Also where there are two cores alone: half of what unit tests do is waiting. */
const unitWorkers = { maxWorkers: Math.max(2, availableParallelism() - 1) };

/** As many as two cores have work for: each file starts several daemons, and waits for them half of its time. */
const STORIES_AT_ONCE = 2;

/**
 * Each file loads most of the daemon: in processes that keep their modules that is done once in each, and not hundreds of times. Not in threads: Node
 * closes what a thread seems to have left open by number, though a socket has closed it and it belongs to others by then.
 */
const keepingModules = { pool: 'forks', isolate: false } as const;

/** Unit tests that put something of their own in the place of a module: no other test may have loaded it before. */
const REPLACING = ['test/catalog/instances/repository/crash.test.ts', 'test/dispatch/execution/output/collected-full-disk.test.ts'];

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/multinode/**', 'test/package/**', ...REPLACING],
          ...patience(180_000),
          ...unitWorkers,
          ...keepingModules,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'replacing',
          include: [...REPLACING],
          ...patience(180_000),
          ...unitWorkers,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'multinode',
          include: ['test/multinode/**/*.test.ts'],
          ...patience(600_000),
          ...keepingModules,
          maxWorkers: STORIES_AT_ONCE,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'long',
          include: ['test/**/*.long.ts'],
          ...oneAtATime,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'package',
          include: ['test/package/**/*.test.ts'],
          ...oneAtATime,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
