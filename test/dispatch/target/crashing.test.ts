import { constants } from 'node:fs';
import { mkdir, open, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MAX_MASKS_BYTES } from '../../../daemon/src/dispatch/runner/masks.ts';
import { ERR, OUT, RECORD } from '../../../daemon/src/dispatch/runner/run-directories.ts';
import { isRecorded, recordedPid } from '../../../daemon/src/dispatch/runner/wrapper.ts';
import { decodeRow, encodeRow, rowKey } from '../../../daemon/src/dispatch/target/journal-row.ts';
import { waitFor } from '../../wait.ts';
import { bundleOf, commandWork, from, orderOf, outputOf, ownerKey, shell, type World, world } from './world.ts';

let site: World;
/** Secrets of the target. */
let secrets: Record<string, string> = {};
let unsealable = true;
/** How far the clock of the target is ahead. */
let ahead = 0;
beforeEach(async () => {
  ahead = 0;
  secrets = {};
  unsealable = true;
  site = await world({
    now: () => Date.now() + ahead,
    secrets,
    unsealable: () => unsealable,
    policy: { trust: [{ node: 'builder', key: ownerKey.publicKey, follow: true }], limits: { concurrency: 1 } },
  });
});
afterEach(() => site.close());

/** Long enough for a shell to begin, also where much else runs. */
const TIME_MS = 5_000;

const operator = { type: 'operator', name: 'operator' } as const;

async function again(id: string) {
  return site.target.attach(operator, id, 0);
}

async function written(part: { part(): { offset?: number | undefined } }): Promise<void> {
  await waitFor(() => (part.part().offset ?? 0) > 0, { what: 'the first output' });
}

/** The record of the one command that runs, and the number of its shell that is in it. */
async function theRecord(): Promise<{ path: string; number: number }> {
  const runs = join(site.directory, 'dispatch', 'runs');
  return waitFor(
    async () => {
      const found = (await readdir(runs, { recursive: true })).find((entry) => basename(entry) === RECORD);
      const path = join(runs, found ?? '');
      const number = recordedPid(await readFile(path, 'utf8'));
      return number === undefined ? undefined : { path, number };
    },
    { what: 'the shell of a command to have begun' },
  );
}

/** Processes have their pipes open for both ways. */
async function isHeldByNobody(pipe: string): Promise<boolean> {
  return open(pipe, constants.O_WRONLY | constants.O_NONBLOCK).then(
    (handle) => handle.close().then(() => false),
    () => true,
  );
}

describe('after its daemon has ended, a target', () => {
  it('goes on with what was running, and tells all of its output once', async () => {
    const gate = join(site.directory, 'gate');
    const order = orderOf({ work: shell(`echo before; until test -e ${gate}; do sleep 0.01; done; echo after; exit 4`) });
    await written(await site.target.accept(from(site), { order: order.bytes }));
    await site.crash();
    const part = await again(order.id);
    expect(part.part()).toMatchObject({ state: 'running' });
    await writeFile(gate, '');
    expect(await part.ended).toMatchObject({ outcome: 'failed', exitStatus: 4 });
    expect((await outputOf(part)).out).toBe('before\nafter\n');
  });

  it('knows how ended what ended while it was away', async () => {
    const gate = join(site.directory, 'gate');
    const done = join(site.directory, 'done');
    const order = orderOf({ work: shell(`echo on; until test -e ${gate}; do sleep 0.01; done; echo off; touch ${done}`) });
    await written(await site.target.accept(from(site), { order: order.bytes }));
    await site.target.stop();
    await writeFile(gate, '');
    await waitFor(() => readFile(done).then(() => true), { what: 'the end of the command' });
    const [run = ''] = await readdir(join(site.directory, 'dispatch', 'runs', `${order.id}-0`));
    const record = join(site.directory, 'dispatch', 'runs', `${order.id}-0`, run, RECORD);
    await waitFor(async () => isRecorded(await readFile(record, 'latin1')), { what: 'its record' });
    // long ago
    await utimes(record, 1, 1_900_000_000);
    await site.crash();
    const part = await again(order.id);
    expect(await part.ended).toMatchObject({ outcome: 'succeeded', exitStatus: 0, endedAt: 1_900_000_000_000 });
    expect((await outputOf(part)).out).toBe('on\noff\n');
  });

  it('still ends what is aborted or takes too long', async () => {
    const order = orderOf({ work: shell('echo on; sleep 60') });
    await written(await site.target.accept(from(site), { order: order.bytes }));
    await site.crash();
    expect(await site.target.abort(operator, order.id)).toMatchObject([{ outcome: 'failed', code: 'ABORTED' }]);
    expect((await outputOf(await again(order.id))).out).toBe('on\n');
    const slow = orderOf({ work: shell('echo on; sleep 60'), header: { timeoutMs: 60_000 } });
    await written(await site.target.accept(from(site), { order: slow.bytes }));
    ahead = 59_600;
    await site.crash();
    expect(await (await again(slow.id)).ended).toMatchObject({ outcome: 'failed', code: 'DEADLINE' });
    expect((await outputOf(await again(slow.id))).out).toBe('on\n');
  });

  it.each([
    ['takes too long', 'DEADLINE', 'it took longer than allowed'],
    ['is aborted', 'ABORTED', 'it was aborted by operator'],
  ])('knows why it had begun to end what %s, and goes on with it', async (_what, code, reason) => {
    const log = join(site.directory, 'log');
    const script = `trap 'echo x >>${log}' TERM; echo on; while test "$(cat ${log})" != "x\nx"; do sleep 0.01; done; exit 3`;
    const order = orderOf({ work: shell(script), header: code === 'DEADLINE' ? { timeoutMs: TIME_MS } : {} });
    await writeFile(log, '');
    await written(await site.target.accept(from(site), { order: order.bytes }));
    if (code === 'ABORTED') void site.target.abort(operator, order.id);
    await waitFor(() => readFile(log).then(({ length }) => length > 0), { what: 'the end that the first daemon asked for' });
    await site.crash();
    expect(await (await again(order.id)).ended).toMatchObject({ outcome: 'failed', code, reason, exitStatus: 3 });
  });

  it.each([
    ['takes too long', 'DEADLINE'],
    ['is aborted', 'ABORTED'],
  ])('knows why what %s has ended while it was away', async (_what, code) => {
    const gate = join(site.directory, 'gate');
    const log = join(site.directory, 'log');
    const script = `trap 'echo x >>${log}; until test -e ${gate}; do sleep 0.01; done; touch ${log}-; trap - TERM; kill $$' TERM; echo on; while :; do sleep 0.01; done`;
    const order = orderOf({ work: shell(script), header: code === 'DEADLINE' ? { timeoutMs: TIME_MS } : {} });
    await written(await site.target.accept(from(site), { order: order.bytes }));
    if (code === 'ABORTED') void site.target.abort(operator, order.id);
    await waitFor(() => readFile(log), { what: 'the end that the first daemon asked for' });
    await site.target.stop();
    await writeFile(gate, '');
    await waitFor(() => readFile(`${log}-`).then(() => true), { what: 'the end of the command' });
    await site.crash();
    expect(await (await again(order.id)).ended).toMatchObject({ outcome: 'failed', code, signal: 'SIGTERM' });
  });

  it('does not say of what ended by itself that it took too long', async () => {
    const gate = join(site.directory, 'gate');
    const order = orderOf({ work: shell(`echo on; until test -e ${gate}; do sleep 0.01; done`) });
    await written(await site.target.accept(from(site), { order: order.bytes }));
    await site.target.stop();
    await writeFile(gate, '');
    const runs = join(site.directory, 'dispatch', 'runs');
    const recorded = async () => {
      const paths = (await readdir(runs, { recursive: true })).filter((path) => basename(path) === RECORD);
      return isRecorded(await readFile(join(runs, paths[0] ?? ''), 'utf8'));
    };
    await waitFor(recorded, { what: 'the end of the command' });
    ahead = 120_000;
    await site.crash();
    expect(await (await again(order.id)).ended).toMatchObject({ outcome: 'succeeded', exitStatus: 0 });
  });

  it('starts what it had accepted and never started, decided anew', async () => {
    const gate = join(site.directory, 'gate');
    const first = orderOf({ work: shell(`echo on; until test -e ${gate}; do sleep 0.01; done`) });
    const next = orderOf({ work: shell('echo later') });
    const late = orderOf({ work: shell('echo too late'), header: { notAfter: Date.now() + 20_000 } });
    for (const { bytes } of [first, next, late]) await site.target.accept(from(site), { order: bytes });
    await written(await again(first.id));
    await site.crash();
    expect((await again(first.id)).part()).toMatchObject({ state: 'running' });
    expect((await again(next.id)).part()).toMatchObject({ state: 'accepted' });
    ahead = 20_001;
    await writeFile(gate, '');
    expect(await (await again(next.id)).ended).toMatchObject({ outcome: 'succeeded' });
    expect((await outputOf(await again(next.id))).out).toBe('later\n');
    expect(await (await again(first.id)).ended).toMatchObject({ outcome: 'succeeded' });
    expect(await (await again(late.id)).ended).toMatchObject({ outcome: 'refused', code: 'ORDER_EXPIRED' });
  });

  it('starts what an orderly end came before, once', async () => {
    const log = join(site.directory, 'log');
    const orders = Array.from({ length: 4 }, () => orderOf({ work: shell(`echo x >>${log}`) }));
    for (const [at, order] of orders.entries()) {
      await site.target.accept(from(site), { order: order.bytes });
      await site.crash();
      expect(await (await again(order.id)).ended).toMatchObject({ outcome: 'succeeded' });
      expect((await readFile(log, 'utf8')).length).toBe(2 * (at + 1));
    }
  });

  it('does not go on with the steps of a workflow, and says so', async () => {
    const gate = join(site.directory, 'gate');
    const log = join(site.directory, 'log');
    const { bytes, code } = bundleOf({
      commands: {
        Two: {
          workflow: {
            steps: [
              { script: { inline: `echo one >>${log}; until test -e ${gate}; do sleep 0.01; done` } },
              { script: { inline: `echo two >>${log}` } },
            ],
          },
        },
      },
    });
    const order = orderOf({ work: commandWork('Two', code) });
    await site.target.accept(from(site), { order: order.bytes, bundle: bytes });
    await waitFor(() => readFile(log), { what: 'the first step' });
    await site.crash();
    await writeFile(gate, '');
    const part = await again(order.id);
    expect(await part.ended).toMatchObject({
      outcome: 'failed',
      reason: expect.stringContaining('the step that was running ended well; later steps were not started'),
    });
    expect(await readFile(log, 'utf8')).toBe('one\n');
  });

  it('does not start what was written down as started and left no trace: that is unknown, and nothing stays of it', async () => {
    const order = orderOf({ work: shell('echo never') });
    await site.target.accept(from(site), { order: order.bytes });
    await (await again(order.id)).ended;
    const runs = join(site.directory, 'dispatch', 'runs');
    await waitFor(async () => (await readdir(runs)).length === 0, { what: 'the removal of what the command left' });
    const key = rowKey(order.id, 0);
    await site.target.stop();
    const row = decodeRow((await site.store.kv.get(key)) ?? new Uint8Array());
    const { outcome: _outcome, endedAt: _endedAt, exitStatus: _exitStatus, offset: _offset, ...part } = row.part;
    await site.store.kv.batch([{ type: 'put', key, value: encodeRow({ ...row, part: { ...part, state: 'running' } }) }], { sync: true });
    // as of a daemon that died just before the start, and of one that died just after an end
    const [about, over] = [join(runs, `${order.id}-0`), join(runs, `${'e'.repeat(64)}-0`)];
    await mkdir(about);
    await mkdir(join(over, '1-1-Run'), { recursive: true });
    await writeFile(join(over, '1-1-Run', RECORD), '# 1\n= 0\n');
    await site.crash();
    expect(await (await again(order.id)).ended).toMatchObject({ outcome: 'unknown' });
    await waitFor(async () => (await readdir(runs)).length === 0, { what: 'the removal of what was left' });
    expect((await site.target.accept(from(site), { order: order.bytes })).part()).toMatchObject({ outcome: 'unknown' });
  });

  it('says of what may never have begun that it is unknown, and nothing of processes that nobody has seen', async () => {
    const order = orderOf({ work: shell('exec sleep 60') });
    await site.target.accept(from(site), { order: order.bytes });
    const { path, number } = await theRecord();
    await site.target.stop();
    process.kill(-number, 'SIGKILL');
    for (const pipe of [OUT, ERR]) await waitFor(() => isHeldByNobody(join(dirname(path), pipe)), { what: 'the end of the command' });
    // as where the daemon was killed when it had made the directory: nothing is in the record, and nobody has the pipes
    await writeFile(path, '');
    await site.crash();
    const part = await again(order.id);
    expect(await part.ended).toMatchObject({ outcome: 'unknown' });
    expect((await outputOf(part)).log).toEqual([]);
  });

  it('says of what it has lost sight of that processes are there, and not that it has ended', async () => {
    const order = orderOf({ work: shell('echo on; sleep 600; echo off') });
    await written(await site.target.accept(from(site), { order: order.bytes }));
    const { number } = await theRecord();
    await site.target.stop();
    process.kill(number, 'SIGKILL');
    await site.crash();
    const part = await again(order.id);
    expect(await part.ended).toMatchObject({ outcome: 'unknown' });
    expect((await outputOf(part)).log).toEqual(['it is not known whether it has ended: processes still hold its output']);
    process.kill(-number, 'SIGKILL');
  });
});

describe('secrets that a running command got before its daemon ended', () => {
  async function running({ token = 'hunter22', as = 'env' }: { token?: string; as?: 'env' | 'file' } = {}): Promise<{
    id: string;
    go(): Promise<void>;
  }> {
    secrets['token'] = token;
    const gate = join(site.directory, 'gate');
    const script = {
      inline: `echo before; until test -e ${gate}; do sleep 0.01; done; echo "$TOKEN, hunter33"`,
      secrets: [{ name: 'token', variable: 'TOKEN', as }],
    };
    const { bytes, code } = bundleOf({ commands: { Show: { script } } });
    const order = orderOf({ work: commandWork('Show', code) });
    await written(await site.target.accept(from(site), { order: order.bytes, bundle: bytes }));
    return { id: order.id, go: () => writeFile(gate, '') };
  }

  async function nothingIsLeft(): Promise<void> {
    await waitFor(async () => (await readdir(join(site.directory, 'dispatch', 'runs'))).length === 0, { what: 'notes to be removed' });
  }

  it('are noted only as long as it runs', async () => {
    const { id, go } = await running();
    const notes = await readdir(join(site.directory, 'dispatch', 'runs', `${id}-0`));
    expect(notes.filter((name) => name.startsWith('given-'))).toHaveLength(1);
    await go();
    await (await again(id)).ended;
    await nothingIsLeft();
  });

  it.each([
    ['changed', () => Object.assign(secrets, { token: 'hunter33' }), 'before\n***, ***\n'],
    ['deleted', () => Reflect.deleteProperty(secrets, 'token'), 'before\n***, hunter33\n'],
  ])('stay out of its output when they were %s since', async (_what, change, out) => {
    const { id, go } = await running();
    change();
    await site.crash();
    await go();
    const part = await again(id);
    expect(await part.ended).toMatchObject({ outcome: 'succeeded' });
    expect((await outputOf(part)).out).toBe(out);
    await nothingIsLeft();
  });

  it('count once where they are still the same: only so much can be kept out of it', async () => {
    const { id, go } = await running({ token: 'x'.repeat(MAX_MASKS_BYTES / 2 + 1), as: 'file' });
    await site.crash();
    await go();
    expect(await (await again(id)).ended).toMatchObject({ outcome: 'succeeded' });
  });

  it('leave its output out, and not its end, where they cannot be known any more', async () => {
    const { id, go } = await running();
    unsealable = false;
    await site.crash();
    await go();
    const part = await again(id);
    expect(await part.ended).toMatchObject({ outcome: 'succeeded' });
    const { out, log } = await outputOf(part);
    expect(out).toBe('before\n');
    expect(log.join()).toContain('its output is left out from here on');
  });
});
