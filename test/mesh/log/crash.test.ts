import { describe, expect, it } from 'vitest';
import { OwnLog } from '../../../daemon/src/mesh/log/own-log.ts';
import type { KvOp } from '../../../daemon/src/store/kv.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { Author } from './author.ts';
import { type Disk, DOMAIN, Node, Roster } from './node.ts';

/** The disk as it is after each batch. */
async function snapshots(disk: Disk, run: () => Promise<void>): Promise<Disk[]> {
  const batches: (readonly KvOp[])[] = [];
  const start = await disk.copy();
  disk.onBatch = (ops) => batches.push(ops);
  await run();
  disk.onBatch = () => {};
  const states = [await start.copy()];
  for (const ops of batches) {
    await start.batch(ops, { sync: true });
    states.push(await start.copy());
  }
  return states;
}

describe('a crash', () => {
  it('at any batch loses nothing that was acknowledged, and nothing of what others were told', async () => {
    const roster = new Roster();
    const a = await Node.start({ name: 'a', roster });
    const acknowledged: number[] = [];
    const states = await snapshots(a.disk, async () => {
      const writes = Array.from({ length: 12 }, (_, index) => a.expose(`app-${index}`).then(() => acknowledged.push(index)));
      await Promise.all(writes);
      for (let index = 0; index < 12; index += 3) await a.withdraw(`app-${index}`);
    });
    for (const disk of states) {
      const restarted = await Node.start({ name: 'a', key: a.key, roster, disk });
      const replica = await Node.start({ name: 'replica', roster });
      await replica.pull(restarted);
      expect(await replica.shown()).toEqual(await restarted.shown());
      await restarted.expose('after');
      await replica.pull(restarted);
      expect(await replica.names()).toContain('a/after');
      expect(await replica.shown()).toEqual(await restarted.shown());
    }
    expect(acknowledged).toHaveLength(12);
  });

  it('of a replica at any batch leaves whole entries, and a sync brings the rest', async () => {
    const roster = new Roster();
    const a = await Node.start({ name: 'a', roster });
    const b = await Node.start({ name: 'b', roster });
    const states = await snapshots(b.disk, async () => {
      for (let index = 0; index < 8; index += 1) {
        await a.expose(`app-${index % 5}`);
        if (index === 5) await a.withdraw('app-1');
        await b.pull(a);
      }
    });
    for (const disk of states) {
      const again = await Node.start({ name: 'b', key: b.key, roster, disk });
      await again.pull(a);
      expect(await again.shown()).toEqual(await a.shown());
    }
  });
});

describe('a batch that fails', () => {
  it('publishes nothing, and the next write opens an epoch that says what the store holds', async () => {
    const roster = new Roster();
    const a = await Node.start({ name: 'a', roster });
    const b = await Node.start({ name: 'b', roster });
    await a.expose('one');
    await b.pull(a);
    const before = await a.log.heads();
    a.disk.failing = true;
    const refused = await Promise.allSettled([a.expose('two'), a.expose('three'), a.withdraw('one')]);
    expect(refused.map((result) => result.status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(a.pushed).toHaveLength(1);
    expect(await a.log.heads()).toEqual(before);
    a.disk.failing = false;
    await a.expose('four');
    expect((await a.log.heads())[0]?.seq).toBe(0);
    expect(await b.log.receive(a.pushed.at(-1) ?? new Uint8Array())).toBe('applied');
    expect(await b.names()).toEqual(['a/four', 'a/one']);
    expect(await b.shown()).toEqual(await a.shown());
  });

  it('leaves no trace of the epoch that it would have opened, however often that is tried', async () => {
    const node = await Node.start({ name: 'a', roster: new Roster() });
    const own = new OwnLog({ domain: DOMAIN, key: node.key, now: Date.now, onEntry: () => {} });
    const write = (durable: boolean) =>
      node.store.transact(async (tx) => {
        const pending = own.append(tx, new Map());
        own.settle(pending, durable);
        return pending.head.track.epoch;
      });
    expect(own.opened(await write(false))).toBe(false);
    expect(own.opened(await write(true))).toBe(true);
  });

  it('of a replica is taken again', async () => {
    const roster = new Roster();
    const b = await Node.start({ name: 'b', roster });
    const author = new Author();
    roster.add(author.key, 'author');
    const entries = [author.open(['one']), author.app('two'), author.app('three')].map((entry) => entry.bytes);
    await b.log.receive(entries[0] ?? new Uint8Array());
    b.disk.failing = true;
    await expect(b.log.receive(entries[1] ?? new Uint8Array())).rejects.toThrow('the disk is full');
    b.disk.failing = false;
    expect(await b.log.receive(entries[2] ?? new Uint8Array())).toBe('gap');
    expect(await b.log.receive(entries[1] ?? new Uint8Array())).toBe('applied');
    expect(await b.log.receive(entries[2] ?? new Uint8Array())).toBe('applied');
    expect(await b.names()).toEqual(['author/one', 'author/three', 'author/two']);
  });

  it('is not noticed by the transactions beside one that is refused', async () => {
    const roster = new Roster();
    const a = await Node.start({ name: 'a', roster });
    const b = await Node.start({ name: 'b', roster });
    a.store.addParticipant({
      prepare: async (changes) => {
        if (changes.some(({ ref }) => ref.name === 'bad')) throw new DtkdError('FORBIDDEN', 'refused by another part');
      },
      committed() {},
      aborted() {},
    });
    const results = await Promise.allSettled(['one', 'bad', 'two', 'bad', 'three'].map((name) => a.expose(name)));
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled']);
    await b.pull(a);
    expect(await b.names()).toEqual(['a/one', 'a/three', 'a/two']);
    expect(await b.shown()).toEqual(await a.shown());
    for (const entry of a.pushed) expect(['applied', 'known']).toContain(await b.log.receive(entry));
  });
});

describe('rows that cannot be read', () => {
  it('cost a sync, not the daemon', async () => {
    const roster = new Roster();
    const a = await Node.start({ name: 'a', roster });
    const b = await Node.start({ name: 'b', roster });
    await a.expose('one');
    await a.expose('two');
    await b.pull(a);
    await damage(b.disk, '/h', '{"shown":7}');
    const again = await b.restart();
    await a.withdraw('one');
    await again.pull(a);
    expect(await again.shown()).toEqual(await a.shown());
    await damage(b.disk, '/00000000', 'no entry');
    const last = await again.restart();
    await a.expose('three');
    await last.pull(a);
    expect(last.log.counters()['unreadable']).toBe(1);
    expect(await last.names()).toEqual(['a/two']);
    await last.pull(a);
    expect(await last.shown()).toEqual(await a.shown());
  });

  it('of the own log make it be written anew', async () => {
    const roster = new Roster();
    const a = await Node.start({ name: 'a', roster });
    const b = await Node.start({ name: 'b', roster });
    await a.expose('one');
    await a.expose('two');
    await b.pull(a);
    await damage(a.disk, '/00000001', 'no entry');
    const again = await a.restart();
    expect(await again.names()).toEqual(['a/one', 'a/two']);
    await again.withdraw('one');
    await b.pull(again);
    expect(await b.shown()).toEqual(await again.shown());
    expect(await again.log.isBehind(await b.log.heads())).toBe(false);
  });
});

async function damage(disk: Disk, suffix: string, value: string): Promise<void> {
  const rows = (await disk.rows('l/')).filter(([key]) => key.endsWith(suffix));
  await disk.batch(
    rows.map(([key]) => ({ type: 'put', key, value: Buffer.from(value) })),
    { sync: true },
  );
}
