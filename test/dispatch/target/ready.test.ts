/** Orders that are ready before their turn: none starts without the word, or after something that it needs has changed. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { encodeReadyRow, type ReadyRow, readyKey, readyRows } from '../../../daemon/src/dispatch/target/ready-rows.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { waitFor } from '../../wait.ts';
import {
  bundleOf,
  commandWork,
  exec,
  from,
  orderOf,
  outputOf,
  ownerKey,
  policyObject,
  STARTER,
  shell,
  starter,
  type World,
  world,
} from './world.ts';

const OPERATOR = { type: 'operator', name: 'operator' } as const;

let site: World;
let allowed: boolean;
/** How far the clock of the target is ahead. */
let ahead: number;
beforeEach(async () => {
  allowed = true;
  ahead = 0;
  site = await world({
    decide: () => (allowed ? { allowed: true, because: 'capability c1' } : { allowed: false, reason: 'it has nothing' }),
    now: () => Date.now() + ahead,
    policy: { trust: [{ node: 'builder', key: ownerKey.publicKey, follow: true }], limits: { concurrency: 1 } },
  });
});
afterEach(() => site.close());

const marker = () => join(site.directory, 'marker');
const marks = async () => (await readFile(marker(), 'utf8').catch(() => '')).split('\n').length - 1;
const marking = () => orderOf({ work: shell(`echo x >>${marker()}`) });
async function rows(): Promise<ReadyRow[]> {
  const all: ReadyRow[] = [];
  for await (const row of readyRows(site.store.kv, (key) => expect.fail(key))) all.push(row);
  return all;
}
const known = async (id: string) => (await site.target.find(OPERATOR, id)).map((handle) => handle.part().outcome ?? handle.part().state);
const executions = async () => (await site.store.list({ group: 'dtkd.dev', plural: 'executions', namespace: 'web1' })).items.length;

async function prepare({ bytes }: { bytes: Uint8Array }, bundle?: Uint8Array) {
  return site.target.prepare(from(site), { order: bytes, bundle });
}

describe('an order that is ready', () => {
  it('is noted, and nothing of it is started, known or shown', async () => {
    const order = marking();
    await prepare(order);
    expect(await rows()).toMatchObject([{ row: { part: { state: 'running' } } }]);
    expect([await known(order.id), await executions(), site.target.counts()]).toEqual([[], 0, { running: 0, waiting: 0, known: 0 }]);
    expect(await marks()).toBe(0);
  });

  it('starts on the word, once, and is then as any other', async () => {
    const order = orderOf({ work: shell(`echo x >>${marker()}; echo hello`) });
    const ready = await prepare(order);
    const part = await ready.go();
    await expect(ready.go()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await ready.leave();
    expect(await part.ended).toMatchObject({ outcome: 'succeeded', exitStatus: 0 });
    expect((await outputOf(part)).out).toBe('hello\n');
    expect([await known(order.id), await executions(), await rows(), await marks()]).toEqual([['succeeded'], 1, [], 1]);
    expect(await (await site.target.accept(from(site), { order: order.bytes })).ended).toMatchObject({ outcome: 'succeeded' });
    expect(await marks()).toBe(1);
  });

  it('is as if it had never come when it is let go of', async () => {
    const order = marking();
    const ready = await prepare(order);
    await ready.leave();
    await expect(ready.go()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect([await known(order.id), await rows(), await marks()]).toEqual([[], [], 0]);
    expect(await (await site.target.accept(from(site), { order: order.bytes })).ended).toMatchObject({ outcome: 'succeeded' });
    expect(await marks()).toBe(1);
  });

  it('gives way to itself: brought at its turn, or made ready again, it starts once', async () => {
    const order = marking();
    const first = await prepare(order);
    const second = await prepare(order);
    await expect(first.go()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const part = await site.target.accept(from(site), { order: order.bytes });
    await expect(second.go()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await part.ended).toMatchObject({ outcome: 'succeeded' });
    await expect(prepare(order)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect([await rows(), await marks()]).toEqual([[], 1]);
  });

  it('is one with itself that comes while it starts', async () => {
    const order = marking();
    const ready = await prepare(order);
    const [part, other] = await Promise.all([ready.go(), site.target.accept(from(site), { order: order.bytes })]);
    expect(await Promise.all([part.ended, other.ended])).toMatchObject([{ outcome: 'succeeded' }, { outcome: 'succeeded' }]);
    expect(await marks()).toBe(1);
  });

  it('is let go of when it is taken back, and when the daemon stops', async () => {
    const [order, next] = [marking(), marking()];
    const [ready, other] = [await prepare(order), await prepare(next)];
    await site.target.cancelled(starter(site), order);
    await expect(ready.go()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await site.crash();
    await expect(other.go()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect([await rows(), await marks()]).toEqual([[], 0]);
  });

  it('ends when it is aborted after the word', async () => {
    const order = orderOf({ work: shell('echo on; sleep 60') });
    const going = (await prepare(order)).go();
    expect(await site.target.abort(OPERATOR, order.id)).toMatchObject([{ outcome: 'failed', code: 'ABORTED' }]);
    expect(await (await going).ended).toMatchObject({ code: 'ABORTED' });
  });
});

describe('the files of a resource', () => {
  const SHOW = {
    Show: { script: { inline: 'cat "$DTKD_RESOURCE_DIRECTORY/var/resource.properties"; echo "at $DTKD_RESOURCE_DIRECTORY"' } },
  };
  const partDirectory = ({ id }: { id: string }) => join(site.directory, 'dispatch', 'runs', `${id}-0`);
  const listed = (directory: string) => readdir(directory).catch(() => undefined);

  /** A bundle of the resource as it is at a revision, and an order to show that. */
  function revised(revision: number) {
    const { bytes, code } = bundleOf({ commands: SHOW, revision, resource: { properties: { revision } } });
    return { bundle: bytes, order: orderOf({ work: commandWork('Show', code) }) };
  }

  /** Installs it as it is at first. Returns its directory. */
  async function installed(): Promise<string> {
    const { order, bundle } = revised(1);
    const { out } = await outputOf(await site.target.accept(from(site), { order: order.bytes, bundle }));
    expect(out).toContain('property.revision=1');
    return /^at (.*)$/m.exec(out)?.[1] ?? expect.fail('no directory');
  }
  const shown = (directory: string) => readFile(join(directory, 'var', 'resource.properties'), 'utf8');

  it('are written beside before the word, and are in place when it starts', async () => {
    const directory = await installed();
    const { order, bundle } = revised(2);
    const ready = await prepare(order, bundle);
    expect(await shown(directory)).toContain('property.revision=1');
    expect((await listed(partDirectory(order)))?.length).toBeGreaterThan(0);
    expect((await outputOf(await ready.go())).out).toContain('property.revision=2');
    expect(await listed(join(directory, 'var'))).toEqual(['resource.json', 'resource.properties']);
    await waitFor(async () => (await listed(partDirectory(order))) === undefined, { what: 'its directory to go' });
  });

  it('are gone with an order that was let go of, and after a crash', async () => {
    const directory = await installed();
    const [{ order, bundle }, next] = [revised(2), revised(3)];
    await (await prepare(order, bundle)).leave();
    expect(await listed(partDirectory(order))).toBeUndefined();
    // as one that ended in the middle would leave it
    await prepare(next.order, next.bundle);
    const [left] = await rows();
    if (left === undefined) throw new Error('no row');
    await site.crash();
    await mkdir(partDirectory(next.order), { recursive: true });
    await writeFile(join(partDirectory(next.order), 'ahead-0'), 'half of it');
    await site.store.transact(async (tx) => tx.putRow(readyKey(next.order.id, 0), encodeReadyRow({ boot: left.boot, row: left.row })));
    await site.crash();
    expect([await listed(partDirectory(next.order)), await rows(), await known(next.order.id)]).toEqual([undefined, [], []]);
    expect(await shown(directory)).toContain('property.revision=1');
  });

  it('are written anew where they were changed since, or what was written is gone', async () => {
    const directory = await installed();
    const [second, third] = [revised(2), revised(3)];
    const ready = await prepare(third.order, third.bundle);
    const { order, bundle } = second;
    expect((await outputOf(await site.target.accept(from(site), { order: order.bytes, bundle }))).out).toMatch(/property.revision=[23]/);
    expect((await outputOf(await ready.go())).out).toContain('property.revision=3');
    const { order: last, bundle: newest } = revised(4);
    const other = await prepare(last, newest);
    await rm(partDirectory(last), { recursive: true });
    expect((await outputOf(await other.go())).out).toContain('property.revision=4');
    expect(await listed(join(directory, 'var'))).toEqual(['resource.json', 'resource.properties']);
  });
});

describe('at the word it is decided again', () => {
  it.each([
    ['who may no longer', 'FORBIDDEN'],
    ['a node in maintenance', 'MAINTENANCE'],
    ['an order whose time is over', 'ORDER_EXPIRED'],
  ])('%s', async (_what, code) => {
    const order = marking();
    const ready = await prepare(order);
    allowed = code !== 'FORBIDDEN';
    if (code === 'MAINTENANCE') site.node.spec = { maintenance: { reason: 'a disk' } };
    if (code === 'ORDER_EXPIRED') ahead = 120_000;
    const part = await ready.go();
    expect(await part.ended).toMatchObject({ code, state: 'ended' });
    expect([await rows(), await marks()]).toEqual([[], 0]);
    expect(await (await site.target.accept(from(site), { order: order.bytes })).ended).toMatchObject({ code });
  });

  it('and a starter that is no member any more, or does not count as one, starts nothing', async () => {
    const order = marking();
    const ready = await prepare(order);
    site.network.remove(STARTER);
    await expect(ready.go()).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect([await known(order.id), await rows(), await marks()]).toEqual([[], [], 0]);
  });

  it('with all that follows where the policy has changed', async () => {
    const { bytes, code } = bundleOf({ commands: { Start: { script: { inline: `echo x >>${marker()}` } } } });
    const order = () => orderOf({ work: commandWork('Start', code) });
    await (await site.target.accept(from(site), { order: order().bytes, bundle: bytes })).ended;
    const ready = await prepare(order(), bytes);
    await site.store.transact((tx) => tx.put(policyObject({ trust: [] })));
    expect(await (await ready.go()).ended).toMatchObject({ outcome: 'refused', code: 'UNTRUSTED' });
    expect([await rows(), await marks()]).toEqual([[], 1]);
  });

  it('and waits for its turn if there is none', async () => {
    const gate = orderOf({ work: shell(`until test -e ${join(site.directory, 'gate')}; do sleep 0.01; done`) });
    const order = marking();
    const ready = await prepare(order);
    const before = await site.target.accept(from(site), { order: gate.bytes });
    const part = await ready.go();
    expect([part.part().state, await rows(), await marks()]).toEqual(['accepted', [], 0]);
    await mkdir(join(site.directory, 'gate'));
    expect(await before.ended).toMatchObject({ outcome: 'succeeded' });
    expect(await part.ended).toMatchObject({ outcome: 'succeeded' });
    expect(await marks()).toBe(1);
  });

  it('and the audit log has what was started, and every refusal', async () => {
    const ready = await prepare(marking());
    expect(site.audited).toEqual([]);
    await (await ready.go()).ended;
    expect(site.audited).toMatchObject([{ outcome: 'allowed' }]);
    allowed = false;
    await expect(prepare(marking())).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(site.audited).toMatchObject([{ outcome: 'allowed' }, { outcome: 'denied' }]);
  });
});

describe('an order is not made ready', () => {
  it('if code would have to be written down as seen first, it moves files, or is one of several', async () => {
    const { bytes, code } = bundleOf({ commands: { Start: { script: { inline: 'true' } } } });
    await expect(prepare(orderOf({ work: commandWork('Start', code) }), bytes)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(prepare(orderOf({ work: exec('/bin/true'), count: 2 }))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(prepare(orderOf({ work: { type: 'get', path: '/etc/hostname' } }))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await rows()).toEqual([]);
  });

  it('if too many of its starter are', async () => {
    const ready = await Promise.all(Array.from({ length: 64 }, () => prepare(orderOf({ work: exec('/bin/true') }))));
    await expect(prepare(marking())).rejects.toMatchObject({ code: 'TOO_MANY_REQUESTS' });
    await ready[0]?.leave();
    await prepare(marking());
  });
});

describe('after a crash', () => {
  /** As a daemon that is killed leaves it: its row, and nobody who knows of it. */
  async function left(order: { id: string; bytes: Uint8Array }, boot?: string): Promise<void> {
    const ready = await prepare(order);
    const [row] = await rows();
    if (row === undefined) throw new Error('no row');
    await ready.leave();
    await site.store.transact(async (tx) =>
      tx.putRow(readyKey(order.id, 0), encodeReadyRow({ boot: boot ?? row.boot, row: { ...row.row, acceptedAt: row.row.acceptedAt } })),
    );
  }

  it('what was never started is as if it had never come', async () => {
    const order = marking();
    await left(order);
    await site.crash();
    expect([await known(order.id), await rows()]).toEqual([[], []]);
    expect(await (await site.target.accept(from(site), { order: order.bytes })).ended).toMatchObject({ outcome: 'succeeded' });
    expect(await marks()).toBe(1);
  });

  it('what may have been started is in the journal, and never started again', async () => {
    const [begun, rebooted] = [marking(), marking()];
    await left(begun);
    await mkdir(join(site.directory, 'dispatch', 'runs', `${begun.id}-0`, '1-1-exec'), { recursive: true });
    await site.crash();
    await left(rebooted, 'another boot');
    await site.crash();
    expect(await rows()).toEqual([]);
    for (const { id, bytes } of [begun, rebooted]) {
      await waitFor(async () => (await known(id))[0] === 'unknown', { what: 'it to be settled' });
      expect(await (await site.target.accept(from(site), { order: bytes })).ended).toMatchObject({ outcome: 'unknown' });
    }
    expect(await marks()).toBe(0);
  });

  it('what was never started keeps no daemon from starting on a full disk', async () => {
    const order = marking();
    await left(order);
    const full = vi.spyOn(Object.getPrototypeOf(site.store), 'transact').mockRejectedValue(new DtkdError('DISK_FULL', 'the disk is full'));
    await site.crash().finally(() => full.mockRestore());
    expect(await (await site.target.accept(from(site), { order: order.bytes })).ended).toMatchObject({ outcome: 'succeeded' });
    await site.crash();
    expect([await known(order.id), await rows(), await marks()]).toEqual([['succeeded'], [], 1]);
  });

  it('where it cannot be looked whether it was started, it may have been', async () => {
    const order = marking();
    await left(order);
    // no directory can be read here
    const runs = join(site.directory, 'dispatch', 'runs');
    await mkdir(runs, { recursive: true });
    await writeFile(join(runs, `${order.id}-0`), '');
    await site.crash();
    await waitFor(async () => (await known(order.id))[0] === 'unknown', { what: 'it to be settled' });
    expect(await (await site.target.accept(from(site), { order: order.bytes })).ended).toMatchObject({ outcome: 'unknown' });
    expect([await rows(), await marks()]).toEqual([[], 0]);
  });

  it('what is in the journal already stays as it is there', async () => {
    const order = marking();
    await left(order);
    const [row] = await rows();
    await site.store.transact(async (tx) => tx.delRow(readyKey(order.id, 0)));
    await (await site.target.accept(from(site), { order: order.bytes })).ended;
    await site.store.transact(async (tx) =>
      tx.putRow(readyKey(order.id, 0), encodeReadyRow({ boot: row?.boot ?? '', row: row?.row ?? expect.fail() })),
    );
    await site.crash();
    expect([await known(order.id), await rows(), await marks()]).toEqual([['succeeded'], [], 1]);
  });

  it('a node that was restored knows not what it did since', async () => {
    const order = marking();
    await left(order);
    site.members.restored = Date.now();
    await site.crash();
    await waitFor(async () => (await known(order.id))[0] === 'unknown', { what: 'it to be settled' });
    expect([await rows(), await marks()]).toEqual([[], 0]);
  });
});
