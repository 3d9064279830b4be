import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AuditRecord } from '../../../daemon/src/access/access.types.ts';
import { type AuditOptions, createAudit } from '../../../daemon/src/access/audit/audit.ts';
import { parseLine } from '../../../daemon/src/access/audit/audit-line.ts';
import type { Kv } from '../../../daemon/src/store/kv.ts';
import { signAuditHead, verifyAuditHead } from '../../../protocol/audit/heads.ts';
import { generateSigningKey } from '../../../protocol/keys/signing.ts';
import { silentLogger } from '../../silent-logger.ts';
import { memoryKv } from '../../store/memory-kv.ts';
import { waitFor } from '../../wait.ts';
import { MemoryDisk } from './memory-disk.ts';
import { useAuditLogs } from './memory-log.ts';

const open = useAuditLogs();

function event(number: number, fields: Partial<AuditRecord> = {}): AuditRecord {
  return {
    who: `user${number % 7}@node${number % 3}`,
    verb: ['create', 'update', 'delete'][number % 3] ?? '',
    what: `dtkd.dev/resources/node0/r${number}`,
    outcome: number % 5 === 0 ? 'denied' : 'allowed',
    because: `capability c-${number}`,
    ...fields,
  };
}

/** A log with so many events that is closed. */
async function written(count: number, options: Partial<AuditOptions> = {}): Promise<{ disk: MemoryDisk; kv: Kv }> {
  const disk = new MemoryDisk();
  const kv = memoryKv();
  const log = await open(disk, kv, options);
  for (let number = 0; number < count; number += 1) {
    log.record(event(number));
    // Several batches, and so several signatures.
    if (number % 10 === 9) await log.head();
  }
  await log.close();
  return { disk, kv };
}

describe('the audit log', () => {
  it('keeps what is recorded, in order, and verifies', async () => {
    const disk = new MemoryDisk();
    const log = await open(disk, memoryKv());
    for (let number = 0; number < 25; number += 1) log.record(event(number));
    const head = await log.head();
    expect(head !== undefined && verifyAuditHead(head)).toBe(true);
    const lines = [];
    for await (const line of log.newest({})) lines.push(line);
    expect(lines.map(({ what }) => what)).toEqual([...Array.from({ length: 25 }, (_, index) => event(24 - index).what), 'daemon']);
    expect(await log.verify([])).toMatchObject({ ok: true, files: 1, problems: [], first: 1 });
    expect(disk.writes).toBeLessThan(8);
  });

  it('shows what is asked for', async () => {
    const log = await open(new MemoryDisk(), memoryKv());
    for (let number = 0; number < 30; number += 1) log.record(event(number));
    const shown: string[] = [];
    for await (const line of log.newest({ who: 'USER1@', verb: 'del' })) shown.push(line.what);
    expect(shown).toEqual([29, 8].map((number) => event(number).what));
  });

  it('cuts what is too long, and escapes what is hostile', async () => {
    const disk = new MemoryDisk();
    const log = await open(disk, memoryKv());
    log.record(event(1, { what: `x\n"\u0000\ud800${'é'.repeat(5_000)}`, because: '\n{"seq":1}' }));
    await log.head();
    expect(await log.verify([])).toMatchObject({ ok: true });
    for await (const line of log.newest({ who: 'user1' })) expect(line.what.length).toBeLessThanOrEqual(1_024);
  });

  it('goes on after a restart, and tells how the one before ended', async () => {
    const { disk, kv } = await written(5);
    const log = await open(disk, kv);
    log.record(event(99));
    expect(await log.verify([])).toMatchObject({ ok: true, files: 1 });
    const because: string[] = [];
    for await (const line of log.newest({ verb: 'start' })) because.push(line.because);
    expect(because).toEqual(['after an abrupt end', 'for the first time']);
    log.record({ who: 'daemon', verb: 'stop', what: 'daemon', outcome: 'allowed', because: '' });
    await log.close();
    const again = await open(disk, kv);
    for await (const line of again.newest({ verb: 'start' })) {
      expect(line.because).toBe('after a clean stop');
      break;
    }
  });

  it('rotates, keeps so many files, and still verifies from where it begins', async () => {
    const options = { fileBytes: 4_000, keepFiles: 3 };
    const { disk, kv } = await written(200, options);
    expect(disk.files.size).toBe(3);
    const log = await open(disk, kv, options);
    const verdict = await log.verify([]);
    expect(verdict).toMatchObject({ ok: true, files: 3, problems: [] });
    expect(verdict.first).toBeGreaterThan(100);
    const oldest = (await disk.list())[0] ?? '';
    disk.files.delete(oldest);
    expect((await log.verify([])).problems[0]?.what).toContain('files are missing');
  });

  it('is fast: fifty thousand events with rotation', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'dtkd-audit-'));
    const log = await createAudit({ directory, kv: memoryKv(), logger: silentLogger, now: Date.now, fileBytes: 2 * 1024 * 1024 });
    try {
      for (let number = 0; number < 50_000; number += 1) {
        log.record(event(number));
        if (number % 10_000 === 9_999) await log.head();
      }
      expect(log.counters()).toEqual({ auditLines: 50_001, auditLinesWaiting: 0, auditLinesLost: 0 });
      const verdict = await log.verify([]);
      expect(verdict).toMatchObject({ ok: true, problems: [] });
      expect(verdict.files).toBeGreaterThan(4);
      await log.close();
    } finally {
      await log.close();
      await rm(directory, { recursive: true, force: true });
    }
  });
});

describe('a disk that refuses', () => {
  it('loses nothing, throws nothing, and says so until it is well', async () => {
    const disk = new MemoryDisk();
    const log = await open(disk, memoryKv());
    expect(await log.head()).toBeDefined();
    disk.failure = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    for (let number = 0; number < 10; number += 1) log.record(event(number));
    await waitFor(() => log.conditions().length > 0, { what: 'the condition' });
    expect(log.conditions()[0]).toContain('no space left on device');
    expect(await log.head()).toBeUndefined();
    disk.failure = undefined;
    log.retry();
    await waitFor(() => log.conditions().length === 0, { what: 'the disk to be well again' });
    for (let number = 10; number < 20; number += 1) log.record(event(number));
    expect(await log.verify([])).toMatchObject({ ok: true });
    let shown = 0;
    for await (const line of log.newest({ what: '/r' })) shown += line.seq > 0 ? 1 : 0;
    expect(shown).toBe(20);
  });

  it('leaves a sound log whenever it refuses, also in the middle of a rotation', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 25 }), { minLength: 3, maxLength: 12 }), async (bursts) => {
        const disk = new MemoryDisk();
        const options = { fileBytes: 3_000, keepFiles: 3 };
        const kv = memoryKv();
        const log = await createAudit({ directory: '', kv, logger: silentLogger, now: Date.now, disk, ...options });
        let count = 0;
        for (const [index, burst] of bursts.entries()) {
          for (let number = 0; number < burst; number += 1) log.record(event(count++));
          await new Promise(setImmediate);
          disk.failure = index % 2 === 0 ? new Error('full') : undefined;
          if (disk.failure === undefined) log.retry();
          else await new Promise(setImmediate);
        }
        disk.failure = undefined;
        log.retry();
        await waitFor(() => log.head(), { what: 'the log to be written' });
        const before = await log.verify([]);
        await log.close();
        const again = await createAudit({ directory: '', kv, logger: silentLogger, now: Date.now, disk, ...options });
        const after = await again.verify([]);
        const last = await again.newest({ what: `/r${count - 1}` }).next();
        await again.close();
        expect([before.problems, after.problems, last.done]).toEqual([[], [], false]);
      }),
      { numRuns: 25 },
    );
  });

  it('counts what did not fit into memory, and tells it in a line', async () => {
    const disk = new MemoryDisk();
    const log = await open(disk, memoryKv());
    await log.head();
    disk.failure = new Error('full');
    for (let number = 0; number < 20_100; number += 1) log.record(event(number));
    await waitFor(() => log.conditions().length > 0, { what: 'the condition' });
    disk.failure = undefined;
    log.retry();
    expect(await waitFor(() => log.head(), { what: 'the log to be written' })).toBeDefined();
    for await (const line of log.newest({ verb: 'lost' })) expect(line.because).toContain('100 lines');
    expect(await log.verify([])).toMatchObject({ ok: true });
  });
});

describe('an abrupt end', () => {
  it.each([1, 17, 150])('that tears the last line is repaired, and said (%i bytes)', async (torn) => {
    const { disk, kv } = await written(12);
    const name = (await disk.list())[0] ?? '';
    const half = JSON.stringify({ seq: 99, half: 'x'.repeat(200) }).slice(0, torn);
    disk.files.set(name, Buffer.concat([disk.bytes(name), Buffer.from(half)]));
    const log = await open(disk, kv);
    expect(await log.verify([])).toMatchObject({ ok: true });
    for await (const line of log.newest({ verb: 'repair' })) expect(line.because).toContain(`${torn} bytes`);
  });

  it('at any byte leaves a log that goes on and verifies', async () => {
    const { disk, kv } = await written(30);
    const name = (await disk.list())[0] ?? '';
    const whole = disk.bytes(name);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: whole.length }), async (length) => {
        const cut = new MemoryDisk();
        cut.files.set(name, Buffer.from(whole.subarray(0, length)));
        const log = await createAudit({ directory: '', kv, logger: silentLogger, now: Date.now, disk: cut });
        log.record(event(1));
        const verdict = await log.verify([]);
        await log.close();
        expect(verdict.problems).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });
});

describe('verification', () => {
  it('finds any one byte that was changed, anywhere', async () => {
    const options = { fileBytes: 5_000, keepFiles: 3 };
    const { disk, kv } = await written(60, options);
    const log = await open(disk, kv, options);
    await log.head();
    const names = await disk.list();
    expect(names.length).toBeGreaterThan(1);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), fc.nat(), fc.integer({ min: 1, max: 255 }), async (name, at, change) => {
        const bytes = disk.bytes(name);
        const index = at % bytes.length;
        const before = bytes[index] ?? 0;
        bytes[index] = before ^ change;
        const verdict = await log.verify([]);
        bytes[index] = before;
        expect(verdict.ok).toBe(false);
      }),
      { numRuns: 300 },
    );
    expect(await log.verify([])).toMatchObject({ ok: true });
  });

  async function linesOf(spoil: (lines: string[]) => string[]) {
    const { disk, kv } = await written(20);
    const log = await open(disk, kv);
    await log.head();
    const name = (await disk.list())[0] ?? '';
    const lines = disk.bytes(name).toString('utf8').trimEnd().split('\n');
    disk.files.set(name, Buffer.from(`${spoil(lines).join('\n')}\n`));
    return { verdict: await log.verify([]), name, lines };
  }

  it('says which line was altered', async () => {
    const { verdict, name } = await linesOf((lines) =>
      lines.map((line, index) => (index === 7 ? line.replace('capability', 'Capability') : line)),
    );
    expect(verdict.problems).toHaveLength(1);
    expect(verdict.problems[0]).toMatchObject({ file: name, line: 8, seq: 8 });
  });

  it('says which lines are missing', async () => {
    const { verdict, name } = await linesOf((lines) => lines.toSpliced(5, 2));
    expect(verdict.problems[0]).toMatchObject({ file: name, line: 6, what: 'lines 6 to 7 are missing before it' });
  });

  it('says which line stands in the wrong place', async () => {
    const { verdict } = await linesOf((lines) => lines.toSpliced(4, 2, lines[5] ?? '', lines[4] ?? ''));
    expect(verdict.problems.map(({ what }) => what).join()).toContain('wrong place');
  });

  it('finds an end that was cut off, and a log that is gone', async () => {
    const { verdict } = await linesOf((lines) => lines.slice(0, 14));
    expect(verdict.problems.map(({ what }) => what).join()).toContain('cut off');
    const disk = new MemoryDisk();
    const log = await open(disk, memoryKv());
    await log.head();
    disk.files.clear();
    expect(await log.verify([])).toMatchObject({ ok: false, problems: [{ what: 'there is no audit log' }] });
  });

  it('finds a chain that was made anew by somebody who has not the key', async () => {
    const { disk, kv } = await written(20);
    const log = await open(disk, kv);
    await log.head();
    const name = (await disk.list())[0] ?? '';
    const forged = await written(20);
    const forgedName = (await forged.disk.list())[0] ?? '';
    disk.files.set(name, forged.disk.bytes(forgedName));
    expect((await log.verify([])).problems.map(({ what }) => what).join()).toContain('another key');
  });
});

describe('witnesses', () => {
  it('expose a past that was written anew and signed with the right key', async () => {
    const disk = new MemoryDisk();
    const kv = memoryKv();
    const log = await open(disk, kv);
    for (let number = 0; number < 20; number += 1) log.record(event(number));
    const head = await log.head();
    if (head === undefined) throw new Error('no head');
    expect(await log.verify([{ by: 'node1', head }])).toMatchObject({ ok: true, confirmed: 1 });
    await log.close();
    // The same key and an empty disk: somebody who has both can write anything.
    const rewritten = await open(new MemoryDisk(), kv);
    expect((await rewritten.verify([{ by: 'node1', head }])).problems).toMatchObject([
      { seq: head.seq, what: expect.stringContaining('node1 has seen') },
    ]);
    for (let number = 0; number < 40; number += 1) rewritten.record(event(number, { who: 'nobody' }));
    const verdict = await rewritten.verify([{ by: 'node1', head }]);
    expect(verdict).toMatchObject({ ok: false, confirmed: 0 });
    expect(verdict.problems[0]?.what).toContain('the past was rewritten');
  });

  it('cannot be deceived by a new key, and a lying one is named', async () => {
    const log = await open(new MemoryDisk(), memoryKv());
    for (let number = 0; number < 20; number += 1) log.record(event(number));
    const head = await log.head();
    if (head === undefined) throw new Error('no head');
    const foreign = signAuditHead(generateSigningKey(), { seq: head.seq, hash: 'e'.repeat(64), time: head.time });
    expect((await log.verify([{ by: 'mallory', head: foreign }])).problems[0]?.what).toContain('mallory says');
  });

  it('of what is no longer kept are not held against the log', async () => {
    const options = { fileBytes: 4_000, keepFiles: 2 };
    const disk = new MemoryDisk();
    const log = await open(disk, memoryKv(), options);
    const head = await log.head();
    if (head === undefined) throw new Error('no head');
    for (let number = 0; number < 100; number += 1) log.record(event(number));
    expect(await log.verify([{ by: 'node1', head }])).toMatchObject({ ok: true, beforeKept: 1 });
  });
});

describe('a line', () => {
  it('can be written in one way only', async () => {
    const { disk } = await written(3);
    const [name = ''] = await disk.list();
    for (const text of disk.bytes(name).toString('utf8').trimEnd().split('\n')) {
      expect(parseLine(text)).toBeDefined();
      expect(parseLine(` ${text}`)).toBeUndefined();
      expect(parseLine(text.replace('{"seq"', '{"x":1,"seq"'))).toBeUndefined();
    }
  });
});
