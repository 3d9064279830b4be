import { describe, expect, it, vi } from 'vitest';
import { REUNION_DOUBT_MS, REUNION_QUIET_MS } from '../../../daemon/src/mesh/log/limits.ts';
import type { Restored } from '../../../daemon/src/mesh/log/log.types.ts';
import { Reunion } from '../../../daemon/src/mesh/log/reunion.ts';
import { generateSigningKey } from '../../../protocol/keys/signing.ts';
import { waitFor } from '../../wait.ts';
import { appRef, type Disk, Node, Roster } from './node.ts';

/** As the row that a restore leaves. */
function restoring(): Restored & { heard: ReturnType<typeof vi.fn<() => Promise<void>>> } {
  return { at: 1_700_000_000_000, awaits: () => true, heard: vi.fn(async () => undefined) };
}

interface Scene {
  roster: Roster;
  peer: Node;
  other: Node;
  restored: Node;
  mark: ReturnType<typeof restoring>;
}

/** A node that shared, was backed up, went on, and was put back. */
async function scene(goOn: (a: Node) => Promise<void>): Promise<Scene> {
  const roster = new Roster();
  const a = await Node.start({ name: 'a', roster });
  const peer = await Node.start({ name: 'peer', roster });
  const other = await Node.start({ name: 'other', roster });
  for (const name of ['changed', 'deleted', 'same']) await a.expose(name);
  const backup: Disk = await a.disk.copy();
  await goOn(a);
  await peer.pull(a);
  await other.pull(a);
  await a.logs.close();
  const mark = restoring();
  const restored = await Node.start({ name: 'a', key: a.key, roster, disk: backup, restored: mark });
  return { roster, peer, other, restored, mark };
}

async function changed(a: Node): Promise<void> {
  await a.expose('changed', { service: 'newer' });
  await a.withdraw('deleted');
  await a.expose('new');
}

describe('a node that was put back from a backup', () => {
  it('publishes nothing until it has heard from all others, and then what they had and what is new', async () => {
    const { peer, other, restored, mark } = await scene(changed);
    expect(restored.log.isAwaiting()).toBe(true);
    expect(restored.logs.restoredAt()).toBe(mark.at);
    await restored.expose('since');
    await restored.expose('same', { service: 'edited' });
    expect(restored.pushed).toEqual([]);
    const others = (): Node['author'][] => [peer.author, other.author];
    await restored.pull(peer);
    restored.log.heard(peer.author, others);
    await waitFor(async () => (await restored.names()).includes('a/new'), { what: 'the state to be taken in' });
    expect(restored.log.isAwaiting()).toBe(true);
    await restored.pull(other);
    restored.log.heard(other.author, others);
    await waitFor(() => mark.heard.mock.calls.length > 0, { what: 'it to have heard' });
    expect(restored.log.isAwaiting()).toBe(false);
    expect(await restored.names()).toEqual(['a/changed', 'a/new', 'a/same', 'a/since']);
    expect(JSON.stringify(await restored.store.get(appRef('a', 'same')))).toContain('edited');
    for (const node of [peer, other]) {
      await node.pull(restored);
      expect(await node.names()).toEqual(['a/changed', 'a/new', 'a/same', 'a/since']);
      expect(JSON.stringify(await node.store.get(appRef('a', 'changed')))).toContain('newer');
      expect(JSON.stringify(await node.store.get(appRef('a', 'same')))).toContain('edited');
      expect(node.proofs).toEqual([]);
    }
    expect(restored.log.condition()).toBeUndefined();
  });

  it('does not bring back what it had taken back, to anybody, at any time', async () => {
    const { peer, other, restored } = await scene(changed);
    await peer.pull(restored);
    expect(await peer.names()).not.toContain('a/deleted');
    const others = (): Node['author'][] => [peer.author];
    await restored.pull(peer);
    restored.log.heard(peer.author, others);
    await waitFor(() => !restored.log.isAwaiting(), { what: 'it to have heard' });
    await other.pull(restored);
    expect(await other.names()).not.toContain('a/deleted');
    expect(await restored.names()).not.toContain('a/deleted');
  });

  it('keeps what was deleted after the restore and before it had heard', async () => {
    const { peer, restored } = await scene(changed);
    await restored.withdraw('same');
    await restored.pull(peer);
    restored.log.heard(peer.author, () => [peer.author]);
    await waitFor(() => !restored.log.isAwaiting(), { what: 'it to have heard' });
    await peer.pull(restored);
    expect(await restored.names()).toEqual(['a/changed', 'a/new']);
    expect(await peer.names()).toEqual(['a/changed', 'a/new']);
  });

  it('takes what its users had changed for newer than what its controllers write', async () => {
    const { peer, restored } = await scene(async (a) => {
      await a.expose('same', { generation: 1, service: 'relabelled' });
    });
    const stored = await restored.store.get(appRef('a', 'same'));
    if (stored === undefined) throw new Error('it is in the backup');
    await restored.put({ ...stored, status: 'Ready' });
    await restored.put({ ...stored, status: 'NotReady' });
    await restored.pull(peer);
    restored.log.heard(peer.author, () => [peer.author]);
    await waitFor(() => !restored.log.isAwaiting(), { what: 'it to have heard' });
    await peer.pull(restored);
    for (const node of [restored, peer]) expect(JSON.stringify(await node.store.get(appRef('a', 'same')))).toContain('relabelled');
  });

  it('goes on at once where nothing has happened since, and where there is nobody', async () => {
    const same = await scene(async () => undefined);
    await same.restored.pull(same.peer);
    same.restored.log.heard(same.peer.author, () => [same.peer.author]);
    await waitFor(() => !same.restored.log.isAwaiting(), { what: 'it to have heard' });
    const alone = await scene(changed);
    alone.restored.log.heard(alone.restored.author, () => []);
    expect(alone.restored.log.isAwaiting()).toBe(false);
  });

  it('remembers across a restart that it has not heard yet', async () => {
    const { restored, peer } = await scene(changed);
    await restored.expose('since');
    await restored.logs.close();
    const again = await Node.start({ name: 'a', key: restored.key, roster: new Roster(), disk: restored.disk, restored: restoring() });
    expect(again.pushed).toEqual([]);
    await again.pull(peer);
    again.log.heard(peer.author, () => [peer.author]);
    await waitFor(() => !again.log.isAwaiting(), { what: 'it to have heard' });
    expect(await again.names()).toContain('a/since');
  });
});

describe('a member that lies to a node that was put back', () => {
  it('cannot keep it silent for ever by an own state that it never gives', async () => {
    const { peer, other, restored } = await scene(changed);
    await restored.pull(peer);
    await waitFor(async () => (await restored.names()).includes('a/new'), { what: 'the state to be taken in' });
    const now = performance.now();
    vi.useFakeTimers({ toFake: ['Date', 'performance', 'setInterval', 'clearInterval'] });
    try {
      // the other clock begins at nothing
      await vi.advanceTimersByTimeAsync(now);
      const others = (): Node['author'][] => [peer.author, other.author];
      const lie = { author: restored.author, epoch: { ms: Date.now() + 10 ** 9, random: 'ab'.repeat(8) }, seq: 7, hash: 'c'.repeat(64) };
      const told = async () => restored.log.isBehind([lie]);
      await told();
      restored.log.heard(peer.author, others);
      restored.log.heard(other.author, others);
      for (let ms = 0; ms < 2 * REUNION_DOUBT_MS; ms += 5_000) {
        await told();
        await vi.advanceTimersByTimeAsync(5_000);
      }
      expect(restored.log.isAwaiting()).toBe(false);
    } finally {
      vi.useRealTimers();
    }
    expect(await restored.names()).not.toContain('a/deleted');
  });
});

describe('a member that tells the past piece by piece', () => {
  it('cannot make a restored node believe that its key is in use elsewhere', async () => {
    const roster = new Roster();
    let a = await Node.start({ name: 'a', roster });
    await a.expose('first');
    const backup = await a.disk.copy();
    const epochs: Uint8Array[][] = [];
    for (let at = 0; at < 6; at++) {
      await a.logs.close();
      a = await Node.start({ name: 'a', key: a.key, roster, disk: a.disk });
      await a.expose(`app${at}`);
      epochs.push([...a.pushed]);
    }
    await a.logs.close();
    const restored = await Node.start({ name: 'a', key: a.key, roster, disk: backup, now: () => Date.now() + 10, restored: restoring() });
    for (const [at, entries] of epochs.entries()) {
      for (const entry of entries) await restored.log.receive(entry);
      await waitFor(async () => (await restored.names()).includes(`a/app${at}`), { what: `epoch ${at} to be taken in` });
    }
    expect(restored.log.condition()).toBeUndefined();
  });
});

describe('a reunion', () => {
  const quiet = { isQuiet: true, isWhole: false, gainedAt: 0 };
  const [one, two] = [generateSigningKey().publicKey, generateSigningKey().publicKey];

  it('is over when all were heard, or one was and no other comes for a while', () => {
    const reunion = new Reunion();
    expect(reunion.isOver([one, two], 0, quiet)).toBe(false);
    expect(reunion.isOver([one, two], 10 * REUNION_QUIET_MS, quiet)).toBe(false);
    reunion.heard(one, 100);
    reunion.heard(one, 5_000);
    expect(reunion.isOver([one, two], 99 + REUNION_QUIET_MS, quiet)).toBe(false);
    expect(reunion.isOver([one, two], 100 + REUNION_QUIET_MS, quiet)).toBe(true);
    reunion.heard(two, 200);
    expect(reunion.isOver([one, two], 200, quiet)).toBe(true);
    expect(new Reunion().isOver([], 0, quiet)).toBe(true);
    const suspended = new Reunion();
    suspended.heard(one, 100);
    expect(suspended.isOver([two], 9 * REUNION_QUIET_MS, quiet)).toBe(false);
  });

  it('waits for what is said to be there while it comes, or has only to be stored', () => {
    const reunion = new Reunion();
    reunion.heard(one, 100);
    const said = { isQuiet: false, isWhole: false, gainedAt: 5_000 };
    expect(reunion.isOver([one], 4_999 + REUNION_DOUBT_MS, said)).toBe(false);
    expect(reunion.isOver([one], 5_000 + REUNION_DOUBT_MS, said)).toBe(true);
    expect(reunion.isOver([one, two], 99 + REUNION_DOUBT_MS, { ...said, gainedAt: 0 })).toBe(false);
    expect(reunion.isOver([one], 9 * REUNION_DOUBT_MS, { ...said, isWhole: true })).toBe(false);
  });
});
