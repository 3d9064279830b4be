/** How a part ends where several things happen at once. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { ProcessEnd, Runner } from '../../../daemon/src/dispatch/runner/runner.types.ts';
import type { Work } from '../../../protocol/orders/order.ts';
import { waitFor } from '../../wait.ts';
import { exec, from, orderOf, TARGET, type World, world } from './world.ts';

const operator = { type: 'operator', name: 'operator' } as const;

let site: World;
afterEach(() => site.close());

/** A runner with one process, which ends as the test says, whatever it is told. */
function oneProcess(): { runner: Runner; end(how: ProcessEnd): void; started(): boolean; killed(): boolean } {
  const { promise, resolve } = Promise.withResolvers<ProcessEnd>();
  let started = false;
  let killed = false;
  const process = {
    identity: { boot: 'b', pid: 0, start: '-' },
    ended: promise,
    kill: () => {
      killed = true;
      return promise;
    },
  };
  const runner: Runner = {
    async start() {
      started = true;
      return process;
    },
    adopt: async () => process,
    remove: async () => undefined,
    account: async (name) => ({ name, uid: 1, gid: 1, home: '/', shell: '/bin/sh' }),
    close: async () => undefined,
  };
  return { runner, end: resolve, started: () => started, killed: () => killed };
}

describe('a command that is aborted', () => {
  it.each([
    ['while the rest of its output is read, has succeeded', -1_000, 'succeeded', undefined],
    ['and then ends, also with 0, was ended', 1_000, 'failed', 'ABORTED'],
  ])('%s', async (_name, after, outcome, code) => {
    const { runner, end, started, killed } = oneProcess();
    site = await world({ runner: () => runner });
    const order = orderOf({ work: exec('/bin/true') });
    const part = await site.target.accept(from(site), { order: order.bytes });
    await waitFor(started, { what: 'its start' });
    const aborting = site.target.abort(operator, order.id);
    await waitFor(killed, { what: 'the abort' });
    end({ exitStatus: 0, endedAt: Date.now() + after });
    await aborting;
    const ended = await part.ended;
    expect(ended).toMatchObject({ outcome });
    expect(ended.code).toBe(code);
  });
});

describe('a file', () => {
  const put = (path: string): Work => ({ type: 'put', path, mode: 0o644, size: 0, digest: 'e'.repeat(64) });

  it.each<[string, Work]>([
    ['put', put('/tmp/a\0b')],
    ['got', { type: 'get', path: '/tmp/a\0b' }],
  ])('whose path is none is not %s, and that is certain', async (_name, work) => {
    const directory = await mkdtemp(join(tmpdir(), 'dtkd-ending-'));
    const source = join(directory, 'source');
    await writeFile(source, '');
    site = await world({
      content: {
        fetch: async () => source,
        path: async () => source,
        take: () => Promise.reject(new Error('nothing is taken')),
        allow: async () => undefined,
      },
    });
    const ended = await (await site.target.accept(from(site), { order: orderOf({ work }).bytes })).ended;
    expect(ended).toMatchObject({ node: TARGET, outcome: 'refused', code: 'INVALID' });
    await rm(directory, { recursive: true, force: true });
  });
});
