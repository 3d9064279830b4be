import { describe, expect, it } from 'vitest';
import type { AuditLog } from '../../../daemon/src/access/audit/audit.ts';
import type { Verdict, Witness } from '../../../daemon/src/access/audit/chain.ts';
import type { AuditHead } from '../../../protocol/kinds/node.ts';
import { memoryKv } from '../../store/memory-kv.ts';
import { MemoryDisk } from './memory-disk.ts';
import { useAuditLogs } from './memory-log.ts';

const RESTORED = { id: 'ab'.repeat(16), takenAt: Date.UTC(2026, 0, 1) };
const open = useAuditLogs();

async function grow(log: AuditLog, count: number, what: string): Promise<AuditHead> {
  for (let number = 0; number < count; number++)
    log.record({ who: 'ops@a', verb: 'create', what: `${what}${number}`, outcome: 'allowed', because: 'c' });
  const head = await log.head();
  if (head === undefined) throw new Error('there is no head');
  return head;
}

const seenBy = (...heads: AuditHead[]): Witness[] => heads.map((head, index) => ({ by: `node${index}`, head }));
const textsOf = ({ problems }: Verdict): string => problems.map(({ what }) => what).join('\n');

describe('the audit log of a node that was put back from a backup', () => {
  it('says so, and explains what others have seen of the lines that were lost', async () => {
    const disk = new MemoryDisk();
    const kv = memoryKv();
    const first = await open(disk, kv);
    const before = await grow(first, 20, 'before');
    const files = await first.settled();
    const backup = disk.copy();
    const lost = [await grow(first, 20, 'lost'), await grow(first, 20, 'lost')];
    expect(files.map(({ name, bytes }) => [name, bytes])).toEqual([...backup.files].map(([name, bytes]) => [name, bytes.length]));

    const restored = await open(backup, kv, { restored: RESTORED });
    const after = await grow(restored, 10, 'after');
    const verdict = await restored.verify(seenBy(before, ...lost, after));
    expect(textsOf(verdict)).toBe('');
    expect(verdict).toMatchObject({ ok: true, confirmed: 2, restores: [{ because: expect.stringContaining('2026-01-01'), lost: 2 }] });
  });

  it('is written anew for all that where another past stands before the restore, or after it', async () => {
    const disk = new MemoryDisk();
    const kv = memoryKv();
    const first = await open(disk, kv);
    const early = await grow(first, 5, 'early');
    const late = await grow(first, 5, 'late');
    const backup = disk.copy();
    const lost = await grow(first, 5, 'lost');

    // somebody with the key rewrites the past, with more lines than before, and claims that it was a restore
    const forged = new MemoryDisk();
    const other = await open(forged, kv);
    await grow(other, 6, 'forged');
    await other.close();
    const claimed = await open(forged, kv, { restored: RESTORED });
    await grow(claimed, 40, 'more');
    const verdict = await claimed.verify(seenBy(early, late, lost));
    expect(verdict.ok).toBe(false);
    expect(textsOf(verdict)).toMatch(/node0 has seen another line/);

    // what was signed after the restore has to be there
    let time = Date.now() + 60_000;
    const now = () => time;
    const restored = await open(backup, kv, { restored: RESTORED, now });
    await grow(restored, 3, 'after');
    const cut = backup.copy();
    time += 60_000;
    const later = await grow(restored, 30, 'hidden');
    const again = await open(cut, kv, { now });
    const texts = textsOf(await again.verify(seenBy(lost, later)));
    expect(texts).toMatch(/node1 has seen/);
    expect(texts).not.toMatch(/node0 has seen/);
  });

  it('is not called restored by anybody but the daemon', async () => {
    const disk = new MemoryDisk();
    const kv = memoryKv();
    const first = await open(disk, kv);
    await grow(first, 5, 'x');
    const backup = disk.copy();
    const lost = await grow(first, 50, 'lost');
    const copied = await open(backup, kv);
    copied.record({ who: 'daemon@a', verb: 'restore', what: 'audit', outcome: 'allowed', because: 'from the backup' });
    await copied.head();
    expect(await copied.verify(seenBy(lost))).toMatchObject({ ok: false, restores: [] });
  });
});
