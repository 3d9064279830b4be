import { describe, expect, it } from 'vitest';
import { EPOCH_FLOOR_BYTES, MAX_LIVE_OBJECTS, outgrown, SHOW_TOGETHER } from '../../../daemon/src/mesh/log/limits.ts';
import { DtkdError } from '../../../protocol/errors.ts';
import { app, type Disk, Node, Roster } from './node.ts';

async function logBytes(disk: Disk): Promise<number> {
  return (await disk.rows('l/')).reduce((sum, [key, value]) => sum + key.length + value.length, 0);
}

describe('a log that is written for long', () => {
  it('stays small, here and on replicas, and says the same', async () => {
    const roster = new Roster();
    const a = await Node.start({ name: 'a', roster });
    const b = await Node.start({ name: 'b', roster });
    let largest = 0;
    let version = 0;
    for (let round = 0; round < 30; round += 1) {
      for (let write = 0; write < 15; write += 1) {
        await a.store.transact(async (tx) => {
          for (let index = 0; index < 12; index += 1) {
            version += 1;
            await tx.put(app('a', `app-${version % 50}`, { service: `s-${version}` }));
          }
        });
      }
      for (const entry of a.pushed.splice(0)) await b.log.receive(entry);
      for (const { disk } of [a, b]) largest = Math.max(largest, await logBytes(disk));
    }
    expect(a.log.counters()['written']).toBeGreaterThanOrEqual(450);
    expect((await a.log.heads())[0]?.seq).toBeLessThan(450);
    // What is bounded is the bytes of entries; keys come on top, and one round that is not looked at.
    expect(largest).toBeGreaterThan(EPOCH_FLOOR_BYTES / 2);
    expect(largest).toBeLessThan(1.5 * EPOCH_FLOOR_BYTES);
    expect(await b.shown()).toEqual(await a.shown());
    const late = await Node.start({ name: 'late', roster });
    await late.pull(a);
    expect(await late.shown()).toEqual(await a.shown());
  });

  it('is grown out of at a megabyte, or at twice what lives in it', () => {
    expect(outgrown(EPOCH_FLOOR_BYTES, 0)).toBe(false);
    expect(outgrown(EPOCH_FLOOR_BYTES + 1, 0)).toBe(true);
    expect(outgrown(5 * EPOCH_FLOOR_BYTES, 3 * EPOCH_FLOOR_BYTES)).toBe(false);
  });
});

describe('large states', () => {
  it('are opened in several entries and arrive whole', async () => {
    const roster = new Roster();
    let a = await Node.start({ name: 'a', roster });
    const annotations = { 'example.org/text': 'x'.repeat(12_000) };
    const large = (name: string) => ({ ...app('a', name), metadata: { ...app('a', name).metadata, annotations } });
    await a.store.transact(async (tx) => {
      for (let index = 0; index < 20; index += 1) await tx.put(large(`app-${index}`));
    });
    expect(a.pushed.length).toBeGreaterThan(3);
    a = await a.restart();
    await a.expose('small');
    expect(a.pushed.length).toBeGreaterThan(3);
    const b = await Node.start({ name: 'b', roster });
    await b.pull(a, 100_000);
    expect(await b.shown()).toEqual(await a.shown());
  });

  it('are shown with what is read for many objects at once, since nobody else writes meanwhile', async () => {
    const roster = new Roster();
    const a = await Node.start({ name: 'a', roster });
    const b = await Node.start({ name: 'b', roster });
    await a.store.transact(async (tx) => {
      for (let index = 0; index < 3 * SHOW_TOGETHER; index += 1) await tx.put(app('a', `app-${index}`));
    });
    let waiting = 0;
    let most = 0;
    const get = b.disk.get.bind(b.disk);
    b.disk.get = async (key) => {
      waiting += 1;
      most = Math.max(most, waiting);
      const row = await get(key);
      waiting -= 1;
      return row;
    };
    await b.pull(a);
    expect(await b.shown()).toEqual(await a.shown());
    expect(most).toBe(SHOW_TOGETHER);
  });

  it('beyond a quota are refused to whoever writes them, and nothing is stored', async () => {
    const roster = new Roster();
    const a = await Node.start({ name: 'a', roster });
    const tooLarge = { 'example.org/a': 'x'.repeat(16_000), 'example.org/b': 'x'.repeat(16_000), 'example.org/c': 'x'.repeat(2_000) };
    const refused = a.put({ ...app('a', 'large'), metadata: { ...app('a', 'large').metadata, annotations: tooLarge } });
    await expect(refused).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
    const many = a.store.transact(async (tx) => {
      for (let index = 0; index <= MAX_LIVE_OBJECTS; index += 1) await tx.put(app('a', `app-${index}`));
    });
    await expect(many).rejects.toSatisfy((error) => error instanceof DtkdError && error.code === 'QUOTA_EXCEEDED');
    expect(await a.names()).toEqual([]);
    await a.expose('one');
    const b = await Node.start({ name: 'b', roster });
    await b.pull(a);
    expect(await b.names()).toEqual(['a/one']);
  });
});
